package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

var _ ports.Attachments = Attachments{}

// Attachments stores what is known of the files that are attached to messages.
type Attachments struct{ DB *postgres.DB }

// attachmentRow is an attachment as it is inserted, and as queries of messages return it.
type attachmentRow struct {
	Place     int       `json:"place"`
	FileID    uuid.UUID `json:"file_id"`
	Name      string    `json:"name"`
	MediaType string    `json:"media_type"`
	Size      int64     `json:"size"`
	Deleted   bool      `json:"deleted,omitempty"`
}

// toAttachments reads the column with the attachments of a message; NULL for none.
func toAttachments(column []byte) ([]domain.Attachment, error) {
	if column == nil {
		return nil, nil
	}
	var rows []attachmentRow
	if err := json.Unmarshal(column, &rows); err != nil {
		return nil, fmt.Errorf("read the attachments of a message: %w", err)
	}
	attached := make([]domain.Attachment, len(rows))
	for i, r := range rows {
		attached[i] = domain.Attachment{FileID: r.FileID, Name: r.Name, MediaType: r.MediaType, Size: r.Size, Deleted: r.Deleted}
	}
	return attached, nil
}

// wrongAttachment returns the error for an attachment of a new turn.
func wrongAttachment(i int, code, message string) error {
	return fail.Fields(fail.Field{Field: fmt.Sprintf("attachments.%d.file_id", i), Code: code, Message: message})
}

// findAttached completes the attachments of a new turn by their files. The caller sees the files that it may attach.
func findAttached(ctx context.Context, q *conversationsdb.Queries, workspace uuid.UUID, attached []domain.Attachment) error {
	ids := make([]uuid.UUID, len(attached))
	for i, a := range attached {
		ids[i] = a.FileID
	}
	rows, err := q.FindAttachableFiles(ctx, conversationsdb.FindAttachableFilesParams{WorkspaceID: workspace, Ids: ids})
	if err != nil {
		return fmt.Errorf("find the attached files: %w", err)
	}
	files := map[uuid.UUID]domain.Attachment{}
	for _, r := range rows {
		files[r.ID] = domain.Attachment{FileID: r.ID, Name: r.Name, MediaType: r.ContentType, Size: r.Size}
	}
	images := int64(0)
	for i := range attached {
		file, ok := files[attached[i].FileID]
		switch {
		case !ok:
			return wrongAttachment(i, "NOT_FOUND", "there is no such file, or not for this caller")
		case !domain.MayAttach(file.MediaType):
			return wrongAttachment(i, "UNSUPPORTED_FILE", "must be an image (PNG, JPEG, GIF, WebP) or a document with text")
		case file.IsImage() && file.Size > domain.MaxImageBytes:
			return wrongAttachment(i, "TOO_LARGE", "must be an image of at most 5 MiB")
		case file.IsImage():
			if images += file.Size; images > domain.MaxImagesBytes {
				return wrongAttachment(i, "TOO_LARGE", "must have at most 15 MiB together with the images before it")
			}
		}
		attached[i] = file
	}
	return nil
}

// addAttached stores the attachments of a turn that is stored.
func addAttached(ctx context.Context, q *conversationsdb.Queries, workspace uuid.UUID, t *domain.Turn) error {
	rows := make([]attachmentRow, len(t.User.Attachments))
	for i, a := range t.User.Attachments {
		rows[i] = attachmentRow{Place: i, FileID: a.FileID, Name: a.Name, MediaType: a.MediaType, Size: a.Size}
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("encode the attachments of a turn: %w", err)
	}
	_, err = q.AddAttachments(ctx, conversationsdb.AddAttachmentsParams{WorkspaceID: workspace, TurnID: t.ID, Attachments: raw})
	switch {
	case postgres.Violates(err, "message_attachments_file_fkey"):
		return fail.Fields(fail.Field{Field: "attachments", Code: "NOT_FOUND", Message: "a file of them was deleted at this moment"})
	case err != nil:
		return fmt.Errorf("store the attachments of a turn: %w", err)
	}
	return nil
}

// List reads the attachments in a transaction of its own, or in that of the context.
func (s Attachments) List(ctx context.Context, turns []uuid.UUID, maxBytes int) (map[uuid.UUID][]domain.Attachment, error) {
	q, workspace := queries(ctx, s.DB)
	rows, err := q.ListAttachments(ctx, conversationsdb.ListAttachmentsParams{WorkspaceID: workspace, TurnIds: turns, MaxBytes: int64(maxBytes)})
	if err != nil {
		return nil, fmt.Errorf("read the attachments of turns: %w", err)
	}
	found := map[uuid.UUID][]domain.Attachment{}
	for _, r := range rows {
		a := domain.Attachment{
			FileID: r.FileID, Name: r.Name, MediaType: r.MediaType, Size: r.Size, Deleted: r.Deleted, Extracted: r.Extracted, Cut: r.Cut,
			Text: r.Text,
		}
		found[r.TurnID] = append(found[r.TurnID], a)
	}
	return found, nil
}

// textRow is the text of an attachment as it is stored.
type textRow struct {
	Place int    `json:"place"`
	Text  string `json:"text"`
	Cut   bool   `json:"cut"`
}

func (s Attachments) KeepTexts(ctx context.Context, turn uuid.UUID, attached []domain.Attachment) error {
	var rows []textRow
	for i, a := range attached {
		if !a.IsImage() {
			rows = append(rows, textRow{i, domain.Storable(a.Text), a.Cut})
		}
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("encode the texts of attachments: %w", err)
	}
	err = s.DB.WriteOnce(ctx, func(ctx context.Context) error {
		q := conversationsdb.New(s.DB.In(ctx))
		return q.KeepAttachedTexts(ctx, conversationsdb.KeepAttachedTextsParams{
			WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, TurnID: turn, Texts: raw,
		})
	})
	if err != nil {
		return fmt.Errorf("store the texts of attachments: %w", err)
	}
	return nil
}
