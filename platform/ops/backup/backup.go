// Package backup writes and reads the folder of a backup: parts under keys, each with its SHA-256, and a manifest. The
// manifest is written last, so that a folder without one is not a backup.
package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/parley/parley/platform/data/blob"
	"github.com/parley/parley/platform/data/postgres"
)

const (
	format       = 1 // of the folder
	manifestFile = "manifest.json"
	partsFile    = "parts.jsonl"
)

// Manifest describes a backup.
type Manifest struct {
	Format   int             `json:"format"`
	MadeAt   time.Time       `json:"made_at"`
	Program  string          `json:"program"`   // the version of parley
	KeyPrint string          `json:"key_print"` // of SECRET_KEY, in hex: identifies the key without revealing it
	Database postgres.Dumped `json:"database"`
	Parts    int             `json:"parts"`
	Bytes    int64           `json:"bytes"`
	// PartsSum is the SHA-256 of the list of parts, in hex.
	PartsSum string `json:"parts_sha256"`
}

// Part is one part of a backup, a line of the list of parts.
type Part struct {
	Key  string `json:"key"`
	Size int64  `json:"size"`
	Sum  string `json:"sha256"` // in hex
}

// Writer writes a backup.
type Writer struct {
	dir   string
	store *blob.Disk
	list  *os.File
	sum   hash.Hash
	parts int
	bytes int64
}

// Create starts a backup in a folder that is empty or does not exist.
func Create(dir string) (*Writer, error) {
	if entries, err := os.ReadDir(dir); len(entries) > 0 {
		return nil, fmt.Errorf("the folder %s is not empty: name one that is, or that is not there yet", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look into the folder for the backup: %w", err)
	}
	store, err := blob.NewDisk(dir)
	if err != nil {
		return nil, err
	}
	list, err := os.OpenFile(filepath.Join(dir, partsFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the list of parts: %w", err), store.Close())
	}
	return &Writer{dir: dir, store: store, list: list, sum: sha256.New()}, nil
}

// Put adds a part.
func (w *Writer) Put(ctx context.Context, key string, content io.Reader) error {
	sum := sha256.New()
	size, err := w.store.Put(ctx, key, io.TeeReader(content, sum))
	if err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	line, err := json.Marshal(Part{Key: key, Size: size, Sum: hex.EncodeToString(sum.Sum(nil))})
	if err != nil {
		return fmt.Errorf("list %s: %w", key, err)
	}
	line = append(line, '\n')
	_, _ = w.sum.Write(line) // never fails
	w.parts, w.bytes = w.parts+1, w.bytes+size
	if _, err := w.list.Write(line); err != nil {
		return fmt.Errorf("list %s: %w", key, err)
	}
	return nil
}

// Has reports whether a part was added.
func (w *Writer) Has(ctx context.Context, key string) (bool, error) {
	content, err := w.store.Get(ctx, key, 0, 0)
	if errors.Is(err, blob.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, content.Close()
}

// Finish completes the backup with its manifest, and fills in the fields that it knows itself.
func (w *Writer) Finish(m Manifest) (Manifest, error) {
	m.Format, m.Parts, m.Bytes, m.PartsSum = format, w.parts, w.bytes, hex.EncodeToString(w.sum.Sum(nil))
	if err := w.list.Sync(); err != nil {
		return m, fmt.Errorf("write the list of parts: %w", err)
	}
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, fmt.Errorf("encode the manifest: %w", err)
	}
	temporary := filepath.Join(w.dir, "."+manifestFile)
	if err := WriteFile(temporary, filepath.Join(w.dir, manifestFile), raw); err != nil {
		return m, fmt.Errorf("write the manifest: %w", err)
	}
	return m, nil
}

// Close closes the files of the writer, whether the backup was finished or not.
func (w *Writer) Close() error { return errors.Join(w.list.Close(), w.store.Close()) }

// WriteFile writes a file of mode 0600 atomically, by way of a temporary file beside it.
func WriteFile(temporary, path string, content []byte) error {
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return os.Rename(temporary, path)
}

// Archive is an existing backup.
type Archive struct {
	Manifest Manifest
	dir      string
	store    *blob.Disk
}

// Open opens a backup. Close must be called at the end.
func Open(dir string) (*Archive, error) {
	raw, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no whole backup: it has no %s", dir, manifestFile)
	}
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	a := &Archive{dir: dir}
	if err := json.Unmarshal(raw, &a.Manifest); err != nil {
		return nil, fmt.Errorf("the manifest of %s is damaged: %w", dir, err)
	}
	if a.Manifest.Format != format {
		return nil, fmt.Errorf("the backup in %s has format %d, and this program knows %d: use the release that made it (%s)", dir, a.Manifest.Format, format, a.Manifest.Program)
	}
	if a.store, err = blob.NewDisk(dir); err != nil {
		return nil, err
	}
	return a, nil
}

// Close closes the folder.
func (a *Archive) Close() error { return a.store.Close() }

// Get returns a reader of a part.
func (a *Archive) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	return a.store.Get(ctx, key, 0, -1)
}

// Each calls fn for every part of the list, in the order in which they were added.
func (a *Archive) Each(fn func(Part) error) error {
	file, err := os.Open(filepath.Join(a.dir, partsFile))
	if err != nil {
		return fmt.Errorf("read the list of parts: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var p Part
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			return fmt.Errorf("the list of parts is damaged: %w", err)
		}
		if err := fn(p); err != nil {
			return err
		}
	}
	return lines.Err()
}

// Verify reads every part and compares it with its checksum. It compares the list of parts with the checksum in the
// manifest.
func (a *Archive) Verify(ctx context.Context) error {
	file, err := os.Open(filepath.Join(a.dir, partsFile))
	if err != nil {
		return fmt.Errorf("read the list of parts: %w", err)
	}
	list := sha256.New()
	_, err = io.Copy(list, file)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("read the list of parts: %w", err)
	}
	if hex.EncodeToString(list.Sum(nil)) != a.Manifest.PartsSum {
		return fmt.Errorf("the backup in %s is damaged: its list of parts is not that of the manifest", a.dir)
	}
	return a.Each(func(p Part) error {
		content, err := a.Get(ctx, p.Key)
		if err != nil {
			return fmt.Errorf("the backup in %s is damaged: %s: %w", a.dir, p.Key, err)
		}
		defer content.Close()
		sum := sha256.New()
		size, err := io.Copy(sum, content)
		if err != nil {
			return fmt.Errorf("read %s of the backup: %w", p.Key, err)
		}
		if size != p.Size || hex.EncodeToString(sum.Sum(nil)) != p.Sum {
			return fmt.Errorf("the backup in %s is damaged: %s is not what was written", a.dir, p.Key)
		}
		return ctx.Err()
	})
}
