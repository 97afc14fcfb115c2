package inproc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge"
	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/modules/knowledge/usecases"
	"github.com/parley/parley/platform/request/callctx"
)

var (
	_ knowledge.Files      = Files{}
	_ knowledge.OwnedFiles = OwnedFiles{}
)

// Files reads files for other modules.
type Files struct {
	Spool   ports.Spool
	Content ports.Bytes
	Extract ports.Extractor
}

// Text returns the text of a file.
func (f Files) Text(ctx context.Context, file knowledge.File, limit int) (text string, cut bool, err error) {
	spooled, err := f.Spool.Open(ctx, keyOf(ctx, file))
	if err != nil {
		return "", false, err
	}
	defer spooled.Close()
	extracted, err := f.Extract.Extract(ctx, ports.ExtractionSource{Content: spooled, Size: file.Size, Name: file.Name, ContentType: file.ContentType})
	if err != nil {
		return "", false, err
	}
	text = domain.TextOf(extracted)
	if utf8.RuneCountInString(text) <= limit {
		return text, false, nil
	}
	return string([]rune(text)[:limit]), true, nil
}

// Bytes returns the bytes of a file.
func (f Files) Bytes(ctx context.Context, file knowledge.File, limit int64) ([]byte, error) {
	content, err := f.Content.Open(ctx, keyOf(ctx, file), 0)
	if errors.Is(err, ports.ErrFileNotFound) {
		return nil, ports.ErrContentMissing.Because(err)
	}
	if err != nil {
		return nil, err
	}
	defer content.Close()
	data, err := io.ReadAll(io.LimitReader(content, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read a file: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, ports.ErrFileTooLarge.With("limit_bytes", limit)
	}
	return data, nil
}

func keyOf(ctx context.Context, f knowledge.File) ports.BytesKey {
	return ports.BytesKey{WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, FileID: f.ID}
}

// OwnedFiles deletes the files of end users.
type OwnedFiles struct {
	Owned interface {
		// ListOwned returns some files of an owner.
		ListOwned(ctx context.Context, owner uuid.UUID, limit int) ([]uuid.UUID, error)
	}
	File usecases.DeleteFile
}

const deletedAtOnce = 100 // files

// Delete deletes the files of an owner.
func (o OwnedFiles) Delete(ctx context.Context, owner uuid.UUID) error {
	for {
		files, err := o.Owned.ListOwned(ctx, owner, deletedAtOnce)
		if err != nil || len(files) == 0 {
			return err
		}
		for _, id := range files {
			if _, err := o.File.Do(ctx, id); err != nil {
				return err
			}
		}
	}
}
