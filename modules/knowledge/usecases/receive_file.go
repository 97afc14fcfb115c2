package usecases

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/request/fail"
)

// ReceiveFile stores the bytes of a file that does not exist yet; CreateFile creates it. RemoveOrphans removes bytes of
// which no file is created.
type ReceiveFile struct {
	Bytes ports.Bytes
	// Sniff returns the type of a file by its first bytes, sniffLength at most.
	Sniff func(head []byte) (contentType string)
	Limit int64 // bytes
	Now   func() time.Time
}

// sniffLength is how many bytes are needed to detect the type of a file.
const sniffLength = 3072

// SentFile is the input of ReceiveFile.
type SentFile struct {
	WorkspaceID, By uuid.UUID
	Name            string // as it was sent
	Content         io.Reader
}

// Do reads the content to its end. It returns ErrFileTooLarge, or the error of reading the content.
func (u ReceiveFile) Do(ctx context.Context, in SentFile) (domain.File, error) {
	name, err := domain.NewFileName(in.Name)
	if err != nil {
		return domain.File{}, fail.Fields(fail.Field{Field: "file", Code: "INVALID", Message: err.Error()})
	}
	head := make([]byte, sniffLength)
	n, err := io.ReadFull(in.Content, head)
	head = head[:n]
	switch {
	case n == 0 && err == io.EOF: //nolint:errorlint // ReadFull gives it as it is, and wraps none
		return domain.File{}, fail.Fields(fail.Field{Field: "file", Code: "TOO_SHORT", Message: "must not be empty"})
	case err != nil && err != io.ErrUnexpectedEOF: //nolint:errorlint // which of a reader's own would be another error
		return domain.File{}, err
	}
	f := domain.File{
		ID: uuid.Must(uuid.NewV7()), WorkspaceID: in.WorkspaceID, Name: name, ContentType: u.Sniff(head),
		CreatedBy: in.By, CreatedAt: u.Now(),
	}
	hash := sha256.New()
	bounded := &bounded{io.MultiReader(bytes.NewReader(head), in.Content), u.Limit, u.Limit}
	if f.Size, err = u.Bytes.Keep(ctx, keyOf(f), io.TeeReader(bounded, hash)); err != nil {
		return domain.File{}, fmt.Errorf("keep the bytes of the file: %w", err)
	}
	f.SHA256 = [32]byte(hash.Sum(nil))
	return f, nil
}

// Discard removes the bytes of a file that is not created. RemoveOrphans removes them where it fails.
func (u ReceiveFile) Discard(ctx context.Context, f domain.File) error {
	return u.Bytes.Remove(ctx, keyOf(f))
}

func keyOf(f domain.File) ports.BytesKey {
	return ports.BytesKey{WorkspaceID: f.WorkspaceID, FileID: f.ID}
}

// bounded is a reader that returns ErrFileTooLarge after its limit.
type bounded struct {
	io.Reader
	left, limit int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, ports.ErrFileTooLarge.With("limit_bytes", b.limit)
	}
	return n, err
}
