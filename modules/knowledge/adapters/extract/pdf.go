package extract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/klippa-app/go-pdfium"
	pdfiumerrors "github.com/klippa-app/go-pdfium/errors"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/parley/parley/modules/knowledge/ports"
)

const (
	pdfMemory  = 256 << 20 // bytes that PDFium may use for one document
	pageOfWASM = 64 << 10
)

// errNotReady means that nothing can be read now, whatever the file is.
var errNotReady = errors.New("the PDF reader cannot be started")

// pdfReader runs PDFium as WebAssembly in this process: it reaches no file, no network, and no memory but its own. Each
// document has an instance of its own. It reads one document at a time.
type pdfReader struct {
	cacheDir string // of compiled code; "": it is compiled by each process
	// ending: reading ends with its context, and lets the GC go on meanwhile, which costs three quarters of the speed. Without
	// it a document that takes too long ends with the process.
	ending bool

	reading  sync.Mutex
	starting sync.Mutex
	pool     pdfium.Pool // nil until the first document is read
	cache    wazero.CompilationCache
	memory   boundedMemory
}

// start compiles PDFium at the first call, which takes seconds where the cache does not have it.
func (r *pdfReader) start() (pdfium.Pool, error) {
	r.starting.Lock()
	defer r.starting.Unlock()
	if r.pool != nil {
		return r.pool, nil
	}
	config := wazero.NewRuntimeConfigCompiler().
		WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling). // how PDFium gives up on broken files
		WithMemoryLimitPages(2 * pdfMemory / pageOfWASM).                                  // boundedMemory refuses before
		WithDebugInfoEnabled(false).
		WithCloseOnContextDone(r.ending)
	if r.cacheDir != "" {
		cache, err := wazero.NewCompilationCacheWithDir(r.cacheDir)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNotReady, err)
		}
		r.cache = cache
		config = config.WithCompilationCache(cache)
	}
	pool, err := webassembly.Init(webassembly.Config{
		Context:  experimental.WithMemoryAllocator(context.Background(), &r.memory),
		MaxTotal: 1, RuntimeConfig: config, Stdout: io.Discard, Stderr: io.Discard,
		FSConfig: wazero.NewFSConfig(), // empty: the default shows it the whole file system
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotReady, err)
	}
	debug.FreeOSMemory() // compiling takes 250 MiB for some seconds
	r.pool = pool
	return pool, nil
}

func (r *pdfReader) prepare(context.Context) error {
	_, err := r.start()
	return err
}

func (r *pdfReader) countsTime() bool { return false }

// close releases the compiled code.
func (r *pdfReader) close() error {
	r.starting.Lock()
	defer r.starting.Unlock()
	if r.pool == nil {
		return nil
	}
	err := r.pool.Close()
	if r.cache != nil {
		err = errors.Join(err, r.cache.Close(context.Background()))
	}
	r.pool = nil
	return err
}

// read reads the pages of a document, one after the other.
func (r *pdfReader) read(ctx context.Context, file ports.ExtractionSource, out *output) error {
	r.reading.Lock()
	defer r.reading.Unlock()
	pool, err := r.start()
	if err != nil {
		return err
	}
	r.memory.refused.Store(false)
	instance, err := pool.GetInstanceWithContext(ctx)
	if err != nil {
		return errorOr(ctx.Err(), fmt.Errorf("%w: %w", errNotReady, err))
	}
	killed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { // it ends what is being computed
		defer close(killed)
		_ = instance.Kill() // what can be done has been done
	})
	defer func() {
		if stop() {
			_ = instance.Close() // nothing of it is kept
		} else {
			<-killed
		}
	}()
	opened, err := instance.OpenDocument(&requests.OpenDocument{
		FileReader: io.NewSectionReader(file.Content, 0, file.Size), FileReaderSize: file.Size,
	})
	switch {
	case errors.Is(err, pdfiumerrors.ErrPassword), errors.Is(err, pdfiumerrors.ErrSecurity):
		return ports.ErrEncryptedFile
	case err == nil:
		err = pdfDocument{instance, opened.Document, out}.pages()
	}
	if r.memory.refused.Load() { // pages that were read after it may lack text
		return tooLarge("memory_bytes", pdfMemory)
	}
	return err
}

// boundedMemory allocates the memory of an instance, pdfMemory bytes at most.
type boundedMemory struct{ refused atomic.Bool } // whether more was wanted

// Allocate implements experimental.MemoryAllocator.
func (b *boundedMemory) Allocate(_, _ uint64) experimental.LinearMemory {
	return &growingMemory{refused: &b.refused}
}

type growingMemory struct {
	buffer  []byte
	refused *atomic.Bool
}

// Reallocate implements experimental.LinearMemory.
func (m *growingMemory) Reallocate(size uint64) []byte {
	if size > pdfMemory {
		m.refused.Store(true)
		return nil
	}
	m.buffer = append(m.buffer, make([]byte, size-uint64(len(m.buffer)))...)
	return m.buffer
}

// Free implements experimental.LinearMemory. What still runs may use the buffer: the GC frees it.
func (m *growingMemory) Free() {}

type pdfDocument struct {
	pdfium.Pdfium
	document references.FPDF_DOCUMENT
	out      *output
}

func (d pdfDocument) pages() error {
	if title, err := d.FPDF_GetMetaText(&requests.FPDF_GetMetaText{Document: d.document, Tag: "Title"}); err == nil {
		d.out.title(title.Value)
	}
	count, err := d.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: d.document})
	if err != nil {
		return err
	}
	if count.PageCount > d.out.limits.Pages {
		return tooLarge("pages", int64(d.out.limits.Pages))
	}
	var broken error
	for i := range count.PageCount {
		if err := d.out.nextPage(); err != nil {
			return err
		}
		text, err := d.text(i)
		if err != nil { // the other pages may be readable
			broken = err
			continue
		}
		for _, paragraph := range paragraphs(text) {
			if err := d.out.add(paragraph.kind, 0, paragraph.text); err != nil {
				return err
			}
		}
		runtime.Gosched()
	}
	if len(d.out.extracted.Blocks) == 0 {
		return broken
	}
	return nil
}

// text returns the text of a page as it is set in lines.
func (d pdfDocument) text(index int) (string, error) {
	page, err := d.FPDF_LoadPage(&requests.FPDF_LoadPage{Document: d.document, Index: index})
	if err != nil {
		return "", err
	}
	defer d.FPDF_ClosePage(&requests.FPDF_ClosePage{Page: page.Page}) //nolint:errcheck // the instance ends with the document
	letters, err := d.FPDFText_LoadPage(&requests.FPDFText_LoadPage{Page: requests.Page{ByReference: &page.Page}})
	if err != nil {
		return "", err
	}
	defer d.FPDFText_ClosePage(&requests.FPDFText_ClosePage{TextPage: letters.TextPage}) //nolint:errcheck // the same
	count, err := d.FPDFText_CountChars(&requests.FPDFText_CountChars{TextPage: letters.TextPage})
	if err != nil || count.Count <= 0 {
		return "", err
	}
	if count.Count > d.out.limits.Characters {
		return "", tooLarge("characters", int64(d.out.limits.Characters))
	}
	text, err := d.FPDFText_GetText(&requests.FPDFText_GetText{TextPage: letters.TextPage, Count: count.Count})
	if err != nil {
		return "", err
	}
	return text.Text, nil
}
