// Package extract extracts the text of files: PDF, DOCX, PPTX, XLSX, EPUB, HTML, Markdown, CSV, JSON lines and plain
// text. Files are hostile until they have been read: everything that a file could ask for without end is bounded, and a
// file over a bound fails alone.
package extract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/request/fail"
)

// Limits bounds what is read of one file. A zero field stands for that of DefaultLimits.
type Limits struct {
	FileBytes  int64         // of the file as it is stored
	Bytes      int64         // uncompressed, over all parts of the file
	Entries    int           // of an archive
	Depth      int           // of nested elements or values
	Pages      int           // or slides, sheets
	Characters int           // of extracted text
	Blocks     int           // of extracted text: paragraphs, rows
	Time       time.Duration // from the first byte read to the last; of a PDF that a process reads: processor time
}

// DefaultLimits are wide enough for a book of 2,000 pages.
func DefaultLimits() Limits {
	return Limits{
		FileBytes: 256 << 20, Bytes: 128 << 20, Entries: 10_000, Depth: 256, Pages: 5_000,
		Characters: 10_000_000, Blocks: 300_000, Time: 5 * time.Minute,
	}
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	l.FileBytes, l.Bytes = or(l.FileBytes, d.FileBytes), or(l.Bytes, d.Bytes)
	l.Entries, l.Depth, l.Pages = or(l.Entries, d.Entries), or(l.Depth, d.Depth), or(l.Pages, d.Pages)
	l.Characters, l.Blocks, l.Time = or(l.Characters, d.Characters), or(l.Blocks, d.Blocks), or(l.Time, d.Time)
	return l
}

func or[T int | int64 | time.Duration](value, otherwise T) T {
	if value > 0 {
		return value
	}
	return otherwise
}

// Options is how an Extractor works.
type Options struct {
	// MaxConcurrent is how many files are read at once; 0 means 1. A large file counts as several.
	MaxConcurrent int
	// CacheDir is where compiled code is kept between starts, a folder of its own below DATA_DIR. Without it the first PDF
	// after each start waits up to 20 s.
	CacheDir string
	// PDFReader is a command that runs ReadPDF. A process of it reads each PDF, so that what a file costs and breaks is that
	// process's alone. Empty: PDFs are read in this process, which takes four times as long.
	PDFReader []string
	Limits    Limits
}

// Extractor extracts the text of files. It is safe for concurrent use.
type Extractor struct {
	limits   Limits
	capacity int64
	slots    *semaphore.Weighted
	pdfSlot  *semaphore.Weighted // one PDF is read at a time, as each may take pdfMemory
	pdf      formatReader
}

// formatReader reads files of one format.
type formatReader interface {
	// prepare does once what the first file would wait for.
	prepare(ctx context.Context) error
	// countsTime reports whether read itself ends what takes longer than it may.
	countsTime() bool
	read(ctx context.Context, file ports.ExtractionSource, out *output) error
	close() error
}

var _ ports.Extractor = (*Extractor)(nil)

// New makes an Extractor.
func New(o Options) *Extractor {
	capacity := int64(max(o.MaxConcurrent, 1))
	e := &Extractor{
		limits: o.Limits.orDefault(), capacity: capacity, slots: semaphore.NewWeighted(capacity), pdfSlot: semaphore.NewWeighted(1),
		pdf: &pdfReader{cacheDir: o.CacheDir, ending: true},
	}
	if len(o.PDFReader) > 0 {
		e.pdf = &pdfProcesses{command: o.PDFReader, cacheDir: o.CacheDir, limits: e.limits}
	}
	return e
}

// Close releases what the Extractor holds. It must not be reading any more.
func (e *Extractor) Close() error { return e.pdf.close() }

const bytesPerSlot = 16 << 20 // a file takes one slot for each

// Extract implements the port.
func (e *Extractor) Extract(ctx context.Context, file ports.ExtractionSource) (domain.Extracted, error) {
	if file.Size > e.limits.FileBytes {
		return domain.Extracted{}, tooLarge("bytes", e.limits.FileBytes)
	}
	weight := min(1+file.Size/bytesPerSlot, e.capacity)
	format, err := e.detect(ctx, file, weight)
	if err != nil {
		return domain.Extracted{}, err
	}
	if format == formatPDF {
		if err := e.pdfSlot.Acquire(ctx, 1); err != nil {
			return domain.Extracted{}, err
		}
		defer e.pdfSlot.Release(1)
		if err := e.pdf.prepare(ctx); err != nil {
			return domain.Extracted{}, errorOr(ctx.Err(), err)
		}
	}
	if err := e.slots.Acquire(ctx, weight); err != nil {
		return domain.Extracted{}, err
	}
	defer e.slots.Release(weight)
	limited, cancel := ctx, context.CancelFunc(func() {})
	if format != formatPDF || !e.pdf.countsTime() {
		limited, cancel = context.WithTimeout(ctx, e.limits.Time)
	}
	defer cancel()
	out := &output{ctx: limited, limits: e.limits}
	err = e.read(limited, file, format, out)
	switch {
	case ctx.Err() != nil:
		return domain.Extracted{}, ctx.Err()
	case limited.Err() != nil:
		return domain.Extracted{}, tooLarge("seconds", int64(e.limits.Time/time.Second))
	case err != nil:
		return domain.Extracted{}, asFailure(err)
	case len(out.extracted.Blocks) == 0:
		return domain.Extracted{}, ports.ErrNoText
	}
	return out.extracted, nil
}

// detect returns the format of a file. It gives the slots back that it takes: a PDF waits for its turn without any.
func (e *Extractor) detect(ctx context.Context, file ports.ExtractionSource, weight int64) (f format, err error) {
	if err := e.slots.Acquire(ctx, weight); err != nil {
		return f, err
	}
	defer e.slots.Release(weight)
	defer recovered(&err)
	if f, err = detect(file); err != nil {
		return 0, asFailure(err)
	}
	return f, nil
}

// recovered makes a panic a failure: a parser that panics has met a file that it cannot read.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = ports.ErrExtractionFailed.Because(fmt.Errorf("the parser panicked: %v", p))
	}
}

// read reads a file of any format.
func (e *Extractor) read(ctx context.Context, file ports.ExtractionSource, format format, out *output) (err error) {
	defer recovered(&err)
	switch format {
	case formatArchive:
		return readArchive(file, out)
	case formatPDF:
		return e.pdf.read(ctx, file, out)
	default:
		return e.readText(file, format, out)
	}
}

const longestText = 48 << 20 // bytes of a text, which is in memory as a whole

// readText reads a file that is all text.
func (e *Extractor) readText(file ports.ExtractionSource, format format, out *output) error {
	if most := min(e.limits.Bytes, longestText); file.Size > most {
		return tooLarge("bytes", most)
	}
	data := make([]byte, file.Size)
	n, err := file.Content.ReadAt(data, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	data = data[:n]
	text, err := decode(data, declaredCharset(data))
	if err != nil {
		return err
	}
	switch format {
	case formatHTML:
		return readHTML(text, out)
	case formatMarkdown:
		return readMarkdown(text, out)
	case formatCSV:
		return readCSV(text, out)
	case formatJSON:
		return readJSON(text, out)
	default:
		return readPlain(text, out)
	}
}

// asFailure makes any error of a parser one of the port.
func asFailure(err error) error {
	if _, ok := errors.AsType[*fail.Error](err); ok || errors.Is(err, errNotReady) {
		return err
	}
	return ports.ErrExtractionFailed.Because(err)
}

func tooLarge(limit string, most int64) error {
	return ports.ErrFileHasTooMuch.With("limit", limit).With("max", most)
}
