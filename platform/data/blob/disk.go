package blob

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Disk stores bytes as files in a folder that no other user may read. No key leads outside the folder, not even through
// a symbolic link.
type Disk struct{ root *os.Root }

const (
	unfinished    = ".unfinished" // no key starts with a dot
	unfinishedFor = 24 * time.Hour
	folderMode    = 0o700
	fileMode      = 0o600
)

// NewDisk returns a Disk in a folder, which it creates if it does not exist. Close must be called at the end.
func NewDisk(dir string) (*Disk, error) {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return nil, fmt.Errorf("make the folder for files: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the folder for files: %w", err)
	}
	d := &Disk{root}
	if err := root.Mkdir(unfinished, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, errors.Join(fmt.Errorf("make the folder for unfinished files: %w", err), root.Close())
	}
	return d, nil
}

// Close closes the folder.
func (d *Disk) Close() error { return d.root.Close() }

// Prepare removes unfinished files of writers that died long ago.
func (d *Disk) Prepare(context.Context) error {
	list, err := fs.ReadDir(d.root.FS(), unfinished)
	if err != nil {
		return fmt.Errorf("list unfinished files: %w", err)
	}
	for _, entry := range list {
		info, err := entry.Info()
		if err != nil || time.Since(info.ModTime()) < unfinishedFor {
			continue // finished meanwhile, or not given up
		}
		if err := d.root.Remove(path.Join(unfinished, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove an unfinished file: %w", err)
		}
	}
	return nil
}

// Check writes, reads and deletes a file.
func (d *Disk) Check(ctx context.Context) error { return try(ctx, d) }

// Put stores the content. The bytes are on the disk, under their name, when it returns.
func (d *Disk) Put(ctx context.Context, key string, content io.Reader) (size int64, err error) {
	if err := checkKey(key); err != nil {
		return 0, err
	}
	defer func() { err = storageFull(err) }()
	temporary := path.Join(unfinished, rand.Text())
	file, err := d.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return 0, fmt.Errorf("make a file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.root.Remove(temporary))
		}
	}()
	size, err = io.Copy(file, reader{ctx, content})
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return 0, fmt.Errorf("write the file: %w", err)
	}
	folder := path.Dir(key)
	if err = d.root.MkdirAll(folder, folderMode); err != nil {
		return 0, fmt.Errorf("make the folder of the file: %w", err)
	}
	if err = d.root.Rename(temporary, key); err != nil {
		return 0, fmt.Errorf("give the file its name: %w", err)
	}
	for ; ; folder = path.Dir(folder) { // a name is lasting once its folder is, and the folder's once its own is
		if err := d.sync(folder); err != nil {
			return 0, fmt.Errorf("sync the folder of the file: %w", err)
		}
		if folder == "." {
			return size, nil
		}
	}
}

func (d *Disk) sync(folder string) error {
	f, err := d.root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (d *Disk) Get(_ context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	file, err := d.root.Open(key)
	if isAbsent(err) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("open the file: %w", err)
	}
	if info, err := file.Stat(); err != nil || info.IsDir() {
		return nil, errors.Join(ErrNotFound, err, file.Close())
	}
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return nil, errors.Join(fmt.Errorf("go to the offset: %w", err), file.Close())
	}
	if length < 0 {
		return file, nil
	}
	return section{io.LimitReader(file, length), file}, nil
}

// Delete removes a file. It keeps the folder, because another file may be about to be stored in it.
func (d *Disk) Delete(_ context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if err := d.root.Remove(key); err != nil && !isAbsent(err) {
		return fmt.Errorf("remove the file: %w", err)
	}
	return nil
}

// isAbsent reports whether an error says that a file does not exist. That includes a path of which a parent is a file.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// List reads the names of whole folders, so a folder must not hold very many files.
func (d *Disk) List(ctx context.Context, prefix, after string, most int) ([]Object, error) {
	w := walk{ctx: ctx, files: d.root.FS(), prefix: prefix, after: after, most: most}
	if err := w.into(""); err != nil {
		return nil, fmt.Errorf("list the files: %w", err)
	}
	return w.found, nil
}

// walk goes through the folders in the order of keys: a folder's name counts with the slash behind it.
type walk struct {
	ctx           context.Context //nolint:containedctx // of one List
	files         fs.FS
	prefix, after string
	most          int
	found         []Object
}

func (w *walk) into(folder string) error {
	list, err := fs.ReadDir(w.files, path.Join(".", folder))
	if isAbsent(err) {
		return nil // removed meanwhile
	}
	if err != nil {
		return err
	}
	key := func(e fs.DirEntry) string {
		if e.IsDir() {
			return folder + e.Name() + "/"
		}
		return folder + e.Name()
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(key(a), key(b)) })
	for _, entry := range list {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if len(w.found) >= w.most {
			return nil
		}
		if err := w.take(key(entry), entry); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) take(key string, entry fs.DirEntry) error {
	switch {
	case strings.HasPrefix(entry.Name(), "."):
		return nil
	case entry.IsDir() && (strings.HasPrefix(key, w.prefix) || strings.HasPrefix(w.prefix, key)):
		if key < w.after && !strings.HasPrefix(w.after, key) {
			return nil // all of it was listed
		}
		return w.into(key)
	case entry.Type().IsRegular() && strings.HasPrefix(key, w.prefix) && key > w.after:
		info, err := entry.Info()
		if isAbsent(err) {
			return nil
		}
		if err != nil {
			return err
		}
		w.found = append(w.found, Object{Key: key, Size: info.Size(), StoredAt: info.ModTime()})
	}
	return nil
}

// reader stops when its context ends.
type reader struct {
	ctx context.Context //nolint:containedctx // of one Put
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// section is a part of a file.
type section struct {
	io.Reader
	io.Closer
}
