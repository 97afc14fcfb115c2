package usecases

import (
	"context"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// AttachFiles reads the files that are attached to messages for the model of a turn.
type AttachFiles struct {
	Attachments ports.Attachments
	Files       ports.AttachedFiles
	// Reach is called at the named points between steps, for tests of crashes; nil: nowhere.
	Reach func(point string)
}

// attachTimeout is how long the files of a turn may be read.
const attachTimeout = 45 * time.Second

func released() {}

// Do returns the attachments of the message of a turn with their texts and images. The texts are extracted once: they are stored before
// Do returns, and no connection is held meanwhile. The images may be in memory until release is called. The error is
// ports.ErrAttachmentUnreadable for a file that cannot be read.
func (u AttachFiles) Do(ctx context.Context, t domain.Turn) (attached []domain.Attachment, release func(), err error) {
	if len(t.User.Attachments) == 0 {
		return nil, released, nil
	}
	ctx, cancel := context.WithTimeout(ctx, attachTimeout)
	defer cancel()
	attached = slices.Clone(t.User.Attachments)
	if release, err = u.hold(ctx, attached); err != nil {
		return nil, released, err
	}
	extracted, left := false, domain.MaxAttachedText
	for i := range attached {
		a := &attached[i]
		if !a.IsImage() && !a.Extracted {
			extracted = true
		}
		if err = u.read(ctx, a, left); err != nil {
			release()
			return nil, released, err
		}
		left = max(left-utf8.RuneCountInString(a.Text), 0)
	}
	if extracted {
		if err = u.Attachments.KeepTexts(ctx, t.ID, attached); err != nil {
			release()
			return nil, released, err
		}
		if u.Reach != nil {
			u.Reach("attached")
		}
	}
	return attached, release, nil
}

// read reads an image, or the text of a document where it is not stored, at most so many characters.
func (u AttachFiles) read(ctx context.Context, a *domain.Attachment, left int) (err error) {
	switch {
	case a.Deleted:
		return ports.ErrAttachmentUnreadable.With("file_id", a.FileID).With("reason", "DELETED")
	case a.IsImage():
		image, err := u.Files.Image(ctx, *a)
		a.Image, a.MediaType = image.Data, image.MediaType
		return err
	case a.Extracted:
	case left == 0:
		a.Cut, a.Extracted = true, true
	default:
		a.Text, a.Cut, err = u.Files.Text(ctx, *a, left)
		a.Extracted = true
	}
	return err
}

func (u AttachFiles) hold(ctx context.Context, attached []domain.Attachment) (release func(), err error) {
	size := int64(0)
	for _, a := range attached {
		if a.IsImage() {
			size += a.Size
		}
	}
	if size == 0 {
		return released, nil
	}
	return u.Files.Hold(ctx, size)
}

// Fill reads the attachments of earlier messages, as specified by ports.EarlierFiles.
func (u AttachFiles) Fill(ctx context.Context, history []domain.Message, images int) (release func(), err error) {
	var turns []uuid.UUID
	for _, m := range history {
		if m.AttachedTurn != uuid.Nil {
			turns = append(turns, m.AttachedTurn)
		}
	}
	if len(turns) == 0 {
		return released, nil
	}
	ctx, cancel := context.WithTimeout(ctx, attachTimeout)
	defer cancel()
	found, err := u.Attachments.List(ctx, turns, domain.MaxRecalledText)
	if err != nil {
		return released, err
	}
	var shown []*domain.Attachment
	size := int64(0)
	for i := range slices.Backward(history) {
		attached := found[history[i].AttachedTurn]
		history[i].Attachments = attached
		for n := range attached {
			a := &attached[n]
			if a.IsImage() && !a.Deleted && len(shown) < images && size+a.Size <= domain.MaxImagesBytes {
				shown, size = append(shown, a), size+a.Size
			}
		}
	}
	if len(shown) == 0 {
		return released, nil
	}
	if release, err = u.Files.Hold(ctx, size); err != nil {
		return released, err
	}
	for _, a := range shown {
		if image, err := u.Files.Image(ctx, *a); err == nil {
			a.Image, a.MediaType = image.Data, image.MediaType
		}
	}
	return release, nil
}
