package ports

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
)

// Attachments stores what is known of the files that are attached to messages.
type Attachments interface {
	// List returns the attachments of the messages of turns, by turn. Texts of documents have at most maxBytes together, those of the
	// newest turns first; the others are left out.
	List(ctx context.Context, turns []uuid.UUID, maxBytes int) (map[uuid.UUID][]domain.Attachment, error)
	// KeepTexts stores the texts of the documents of a turn's message, in a transaction of its own. Nothing is kept of a file that was deleted.
	KeepTexts(ctx context.Context, turn uuid.UUID, attached []domain.Attachment) error
}

// AttachedFiles reads attached files, outside of any transaction. The error of a file that cannot be read is ErrAttachmentUnreadable.
type AttachedFiles interface {
	// Text returns the text of a document, at most limit characters, and whether it has more.
	Text(ctx context.Context, a domain.Attachment, limit int) (text string, cut bool, err error)
	// Image returns the bytes of an image, with its type as it was detected from them.
	Image(ctx context.Context, a domain.Attachment) (domain.Image, error)
	// Hold waits until so many bytes more of images may be in memory. They count until release is called.
	Hold(ctx context.Context, bytes int64) (release func(), err error)
}

// EarlierFiles reads the files of earlier messages.
type EarlierFiles interface {
	// Fill reads the attachments of the messages of a history that have any, at most so many images, the newest first. What cannot be
	// read is left out. The images may be in memory until release is called.
	Fill(ctx context.Context, history []domain.Message, images int) (release func(), err error)
}
