package usecases

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
)

// AddDocument adds a file or a text to a knowledge base. A job extracts and divides it.
type AddDocument struct {
	Files     ports.Files
	Documents ports.Documents
	Now       func() time.Time
}

// NewDocument is the input of AddDocument: either a file, or a title and a text.
type NewDocument struct {
	WorkspaceID, By, BaseID uuid.UUID
	FileID                  *uuid.UUID
	Title, Text             *string
	Metadata                json.RawMessage
}

// textType is the content type of a text that is sent with the call.
const textType = "text/markdown; charset=utf-8"

// Do returns ErrBaseNotFound, ErrFileNotFound, or ErrDocumentExists for a file whose content the base has already.
func (u AddDocument) Do(ctx context.Context, in NewDocument) (domain.Document, error) {
	now := u.Now()
	d := domain.Document{
		ID: uuid.Must(uuid.NewV7()), WorkspaceID: in.WorkspaceID, BaseID: in.BaseID, FileID: in.FileID, Status: domain.Queued, Building: 1,
		CreatedBy: in.By, CreatedAt: now, UpdatedAt: now,
	}
	wrong := u.source(in)
	var err error
	if d.Metadata, err = domain.NewMetadata(in.Metadata); err != nil {
		wrong = append(wrong, domain.WrongField{Field: "metadata", Err: err})
	}
	if in.Title != nil {
		if d.Title, err = domain.NewTitle(*in.Title); err != nil {
			wrong = append(wrong, domain.WrongField{Field: "title", Err: err})
		}
	}
	if len(wrong) > 0 {
		return domain.Document{}, invalid(wrong...)
	}
	var text string
	if in.FileID == nil {
		text = *in.Text
		d.ContentType, d.ContentHash, d.Size = textType, sha256.Sum256([]byte(text)), int64(len(text))
		return d, u.Documents.Create(ctx, d, text)
	}
	file, err := u.Files.Get(ctx, *in.FileID)
	if err != nil {
		return domain.Document{}, err
	}
	d.ContentType, d.ContentHash, d.Size = file.ContentType, file.SHA256, file.Size
	if in.Title == nil {
		d.Title = domain.TitleOfFile(file.Name)
	}
	return d, u.Documents.Create(ctx, d, "")
}

// source checks that there is either a file, or a title and a text.
func (u AddDocument) source(in NewDocument) (wrong []domain.WrongField) {
	switch {
	case in.FileID == nil && in.Text == nil:
		wrong = append(wrong, domain.WrongField{Field: "file_id", Err: domain.ErrSource})
	case in.FileID != nil && in.Text != nil:
		wrong = append(wrong, domain.WrongField{Field: "file_id", Err: domain.ErrSources})
	case in.Text != nil:
		if !strings.ContainsFunc(*in.Text, unicode.IsPrint) || strings.TrimSpace(*in.Text) == "" {
			wrong = append(wrong, domain.WrongField{Field: "text", Err: domain.ErrText})
		}
		if in.Title == nil {
			wrong = append(wrong, domain.WrongField{Field: "title", Err: domain.ErrNoTitle})
		}
	}
	return wrong
}
