package usecases

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/ports"
)

// WriteExport writes the archive of an export. It can be repeated: each attempt writes an archive of its own, and the one that
// completes the export is read.
type WriteExport struct {
	Runs         ports.ExportRuns
	Snapshot     ports.Snapshot
	Archives     ports.Archives
	Transactions ports.Transactions
	Program      string // version of the program
	MaxSize      int64  // bytes of an archive
	Now          func() time.Time
	// Reach is called at points where tests stop the process.
	Reach func(point string)
}

// Do makes one attempt. finish ends its job, in the transaction that ends the export.
func (u WriteExport) Do(ctx context.Context, k ports.ExportKey, finish func(ctx context.Context) error) error {
	attempt, err := u.Runs.Begin(ctx, k.ID, u.Now())
	if errors.Is(err, ports.ErrExportOver) {
		return u.fail(ctx, k, domain.ExportError{Code: domain.ExportWorkspaceDeleted, Message: "the workspace was deleted before the export began"}, finish)
	}
	if err != nil {
		return fmt.Errorf("begin the export: %w", err)
	}
	if err := u.Archives.Remove(ctx, k); err != nil { // of attempts that were cut off
		return fmt.Errorf("remove the archives of earlier attempts: %w", err)
	}
	e := domain.Export{WorkspaceID: k.WorkspaceID, ID: k.ID, Attempt: attempt}
	e.Archive, e.Progress, err = u.write(ctx, ports.ArchiveKey{ExportKey: k, Attempt: attempt})
	if errors.Is(err, ports.ErrArchiveTooLarge) {
		return u.fail(ctx, k, domain.ExportError{Code: domain.ExportTooLarge, Message: ports.ErrArchiveTooLarge.Message}, finish)
	}
	if err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	u.Reach("kept")
	now := u.Now()
	expires := now.Add(domain.ExportLife)
	e.FinishedAt, e.ExpiresAt = &now, &expires
	return u.Transactions.Write(ctx, func(ctx context.Context) error {
		return errors.Join(u.Runs.Complete(ctx, e), finish(ctx))
	})
}

// GiveUp records that an export has failed, in the transaction that gives its job up.
func (u WriteExport) GiveUp(ctx context.Context, k ports.ExportKey) error {
	why := domain.ExportError{Code: domain.ExportGivenUp, Message: "the archive could not be written, several times: start another export, or ask the operator"}
	return u.Runs.Fail(ctx, k.ID, why, u.Now())
}

func (u WriteExport) fail(ctx context.Context, k ports.ExportKey, why domain.ExportError, finish func(ctx context.Context) error) error {
	return u.Transactions.Write(ctx, func(ctx context.Context) error {
		return errors.Join(u.Runs.Fail(ctx, k.ID, why, u.Now()), finish(ctx))
	})
}

// errStoreEnded ends the writer where the store takes no more.
var errStoreEnded = errors.New("the store has ended the archive")

// write writes the archive into the store while it is made: only a small part of it is in memory.
func (u WriteExport) write(ctx context.Context, k ports.ArchiveKey) (*domain.Archive, domain.ExportProgress, error) {
	content, sink := io.Pipe()
	sum := sha256.New()
	type kept struct {
		size int64
		err  error
	}
	stored := make(chan kept, 1)
	go func() {
		size, err := u.Archives.Keep(ctx, k, io.TeeReader(content, sum))
		_ = content.CloseWithError(errors.Join(errStoreEnded, err)) // it never fails
		stored <- kept{size, err}
	}()
	w := newArchiveWriter(&boundedWriter{sink, u.MaxSize}, func(p domain.ExportProgress) error { return u.Runs.Note(ctx, k.ID, k.Attempt, p) }, u.Now)
	err := u.fill(ctx, k, w)
	_ = sink.CloseWithError(err) // nil is the end of the archive; it never fails
	done := <-stored
	if err == nil || errors.Is(err, errStoreEnded) && done.err != nil {
		err = done.err
	}
	if err != nil {
		return nil, w.progress, err
	}
	return &domain.Archive{Size: done.size, SHA256: digest(sum)}, w.progress, nil
}

// fill writes rows, then the bytes of files, which are not in the snapshot: they never change, and it need not stay open for them.
func (u WriteExport) fill(ctx context.Context, k ports.ArchiveKey, w *archiveWriter) error {
	m := domain.Manifest{
		Format: domain.ArchiveFormat, Version: domain.ArchiveVersion, Program: u.Program, ExportID: k.ID, WorkspaceID: k.WorkspaceID,
	}
	at, files, err := u.Snapshot.Read(ctx, func(kind string, rows ports.Rows) error {
		written, err := w.rows(kind, rows)
		m.Rows = append(m.Rows, written)
		return err
	})
	if err != nil {
		return fmt.Errorf("read the rows: %w", err)
	}
	m.SnapshotAt = at
	u.Reach("rows")
	total := int64(len(files))
	w.progress.FilesTotal = &total
	for _, f := range files {
		content, found, err := u.Archives.File(ctx, k.WorkspaceID, f.ID)
		if err != nil {
			return fmt.Errorf("read the bytes of the file %s: %w", f.ID, err)
		}
		if found {
			found, err = w.file(f, content)
			err = errors.Join(err, content.Close())
		}
		if err != nil {
			return fmt.Errorf("write the bytes of the file %s: %w", f.ID, err)
		}
		if !found {
			m.Files.Missing = append(m.Files.Missing, f.ID)
		}
	}
	m.Files.Count, m.Files.Bytes = w.progress.Files, w.fileBytes
	return w.close(m)
}

// boundedWriter returns ErrArchiveTooLarge for what is beyond a number of bytes.
type boundedWriter struct {
	io.Writer
	left int64
}

func (b *boundedWriter) Write(p []byte) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, ports.ErrArchiveTooLarge
	}
	return b.Writer.Write(p)
}

func digest(sum hash.Hash) (d [sha256.Size]byte) {
	copy(d[:], sum.Sum(nil))
	return d
}
