package usecases

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/ports"
)

// archiveWriter writes the entries of an archive and counts them. A zip can be written as a stream, and its manifest, which is
// known at the end, can be read first.
type archiveWriter struct {
	zip       *zip.Writer
	now       func() time.Time
	note      func(domain.ExportProgress) error
	noted     time.Time
	progress  domain.ExportProgress
	fileBytes int64
}

func newArchiveWriter(to io.Writer, note func(domain.ExportProgress) error, now func() time.Time) *archiveWriter {
	return &archiveWriter{zip: zip.NewWriter(to), now: now, note: note, noted: now()}
}

// rows writes the rows of a kind.
func (a *archiveWriter) rows(kind string, rows ports.Rows) (domain.ManifestRows, error) {
	m := domain.ManifestRows{Kind: kind}
	entry, err := a.entry(kind+domain.RowsExtension, zip.Deflate)
	if err != nil {
		return m, err
	}
	sum := sha256.New()
	out := io.MultiWriter(sum, entry)
	for line, err := range rows {
		if err != nil {
			return m, err
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return m, fmt.Errorf("write %s: %w", kind, err)
		}
		m.Count++
		m.Bytes += int64(len(line)) + 1
		a.progress.Rows++
		if err := a.report(); err != nil {
			return m, err
		}
	}
	m.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return m, nil
}

// file writes the bytes of an uploaded file. whole is false where they are not those that were uploaded.
func (a *archiveWriter) file(f ports.FileBytes, content io.Reader) (whole bool, err error) {
	entry, err := a.entry(domain.FilesFolder+f.ID.String(), zip.Store) // most formats are compressed already
	if err != nil {
		return false, err
	}
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(sum, entry), content)
	if err != nil {
		return false, err
	}
	a.fileBytes += size
	a.progress.Files++
	return size == f.Size && digest(sum) == f.SHA256, a.report()
}

// close writes the manifest and ends the archive.
func (a *archiveWriter) close(m domain.Manifest) error {
	if m.Files.Missing == nil {
		m.Files.Missing = []uuid.UUID{}
	}
	entry, err := a.entry(domain.ManifestName, zip.Deflate)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(entry)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(m); err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	if err := a.zip.Close(); err != nil {
		return fmt.Errorf("end the archive: %w", err)
	}
	return nil
}

func (a *archiveWriter) entry(name string, method uint16) (io.Writer, error) {
	entry, err := a.zip.CreateHeader(&zip.FileHeader{Name: name, Method: method, Modified: a.now().UTC()})
	if err != nil {
		return nil, fmt.Errorf("begin the entry %s: %w", name, err)
	}
	return entry, nil
}

const noteInterval = 2 * time.Second // between two notes of the progress

// report stores the progress, not too often.
func (a *archiveWriter) report() error {
	if now := a.now(); now.Sub(a.noted) >= noteInterval {
		a.noted = now
		return a.note(a.progress)
	}
	return nil
}
