package usecases

import (
	"archive/zip"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/ports"
)

// Bounds of an archive that is read, so that a small one cannot become more than a machine holds.
const (
	maxManifest     = 64 << 20 // bytes; it may name each file that is missing
	maxLine         = 40 << 20 // bytes of a row: the text of a document
	maxRowBytes     = 64 << 30 // bytes of all rows
	maxInflation    = 400      // times that rows may be larger than the archive
	freeInflation   = 64 << 20 // bytes that rows may have in any case
	manifestEntries = 1
)

// archiveReader reads an archive, and checks that every entry is what the manifest says. It never writes an entry anywhere by its
// name: names are only compared.
type archiveReader struct {
	entries  map[string]*zip.File
	manifest domain.Manifest
	rows     map[string]domain.ManifestRows // by kind
	size     int64                          // bytes of the archive
}

// refused returns ErrArchive with what is wrong.
func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ports.ErrArchive, fmt.Sprintf(format, args...))
}

// openArchive reads the manifest and compares it with the names of all entries.
func openArchive(content io.ReaderAt, size int64) (*archiveReader, error) {
	z, err := zip.NewReader(content, size)
	if err != nil {
		return nil, refused("it is no zip archive: %v", err)
	}
	a := &archiveReader{entries: map[string]*zip.File{}, rows: map[string]domain.ManifestRows{}, size: size}
	if len(z.File) > domain.MaxExportFiles+len(domain.RowKinds())+manifestEntries {
		return nil, refused("it has %d entries", len(z.File))
	}
	for _, f := range z.File {
		if a.entries[f.Name] != nil {
			return nil, refused("it has the entry %q twice", f.Name)
		}
		a.entries[f.Name] = f
	}
	if err := a.readManifest(); err != nil {
		return nil, err
	}
	return a, a.checkNames()
}

func (a *archiveReader) readManifest() error {
	content, err := a.open(domain.ManifestName)
	if err != nil {
		return err
	}
	defer content.Close()
	raw, err := io.ReadAll(io.LimitReader(content, maxManifest+1))
	if err != nil || len(raw) > maxManifest {
		return refused("its manifest cannot be read")
	}
	m := &a.manifest
	if err := json.Unmarshal(raw, m); err != nil {
		return refused("its manifest is no JSON of the right form: %v", err)
	}
	if m.Format != domain.ArchiveFormat {
		return refused("its format is %q, not %q", m.Format, domain.ArchiveFormat)
	}
	if m.Version != domain.ArchiveVersion {
		return refused("it has version %d of the format, and this program reads version %d", m.Version, domain.ArchiveVersion)
	}
	return nil
}

// checkNames holds the archive to have all kinds of rows, each once, and beside them only files. Only a later kind may be missing.
func (a *archiveReader) checkNames() error {
	kinds := domain.RowKinds()
	var total int64
	for _, r := range a.manifest.Rows {
		if !slices.ContainsFunc(kinds, func(k domain.RowKind) bool { return k.Name == r.Kind }) {
			return refused("its manifest names the unknown kind %q", r.Kind)
		}
		if _, twice := a.rows[r.Kind]; twice || r.Count < 0 || r.Bytes < r.Count || r.Bytes > maxRowBytes {
			return refused("its manifest has %q twice, or with numbers that cannot be", r.Kind)
		}
		a.rows[r.Kind] = r
		total += r.Bytes
	}
	if total > maxRowBytes || total > freeInflation && total/maxInflation > a.size {
		return refused("its rows have %d bytes, which is too much for an archive of %d", total, a.size)
	}
	known := map[string]bool{domain.ManifestName: true}
	for _, k := range kinds {
		if _, ok := a.rows[k.Name]; !ok && k.Later {
			continue
		} else if !ok {
			return refused("its manifest lacks %q", k.Name)
		}
		known[k.Name+domain.RowsExtension] = true
	}
	for name := range a.entries {
		id, isFile := strings.CutPrefix(name, domain.FilesFolder)
		if !known[name] && (!isFile || len(id) != len(uuid.Nil.String()) || uuid.Validate(id) != nil) {
			return refused("it has the entry %q, which is of no archive", name)
		}
	}
	return nil
}

func (a *archiveReader) open(name string) (io.ReadCloser, error) {
	entry := a.entries[name]
	if entry == nil {
		return nil, refused("it lacks %q", name)
	}
	if !entry.Mode().IsRegular() {
		return nil, refused("%q is no regular file", name)
	}
	content, err := entry.Open()
	if err != nil {
		return nil, refused("%q cannot be read: %v", name, err)
	}
	return content, nil
}

// read calls each with every row of a kind, and checks count, size and sum at the end. Of a later kind that the archive lacks there are none.
func (a *archiveReader) read(kind domain.RowKind, each func(row map[string]json.RawMessage) error) error {
	said, is := a.rows[kind.Name]
	if !is {
		return nil // an archive of before the kind
	}
	name := kind.Name + domain.RowsExtension
	content, err := a.open(name)
	if err != nil {
		return err
	}
	defer content.Close()
	sum := sha256.New()
	var count, bytes int64
	lines := bufio.NewReaderSize(io.TeeReader(io.LimitReader(content, said.Bytes+1), sum), 1<<16)
	for {
		line, err := readLine(lines)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return refused("%s, line %d: %v", name, count+1, err)
		}
		count, bytes = count+1, bytes+int64(len(line))+1
		if count > said.Count {
			break
		}
		row, err := kind.CheckRow(line)
		if err != nil {
			return refused("%s, line %d: %v", name, count, err)
		}
		if err := each(row); err != nil {
			return err
		}
	}
	if count != said.Count || bytes != said.Bytes || hex.EncodeToString(sum.Sum(nil)) != said.SHA256 {
		return refused("%s is not what the manifest says: %d lines of %d bytes", name, count, bytes)
	}
	return nil
}

var (
	errLongLine = errors.New("it is too long")
	errCutLine  = errors.New("it has no line feed")
)

// readLine reads a line without its line feed. It returns io.EOF after the last one.
func readLine(from *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := from.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			return nil, errLongLine
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, errCutLine
		default:
			return nil, err
		}
	}
}

// file reads the bytes of an uploaded file. Its reader returns an error at the end where they are not those of the row.
func (a *archiveReader) file(f ports.FileBytes) (io.ReadCloser, error) {
	content, err := a.open(domain.FilesFolder + f.ID.String())
	if err != nil {
		return nil, err
	}
	return &checkedFile{content: content, sum: sha256.New(), file: f}, nil
}
