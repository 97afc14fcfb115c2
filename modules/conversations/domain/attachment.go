package domain

import (
	"strings"

	"github.com/google/uuid"
)

// The limits of what a turn may have attached.
const (
	MaxAttachments    = 10
	MaxImageBytes     = 5 << 20  // of one image
	MaxImagesBytes    = 15 << 20 // of all images of a message
	MaxAttachedText   = 100_000  // characters of the texts of a message's documents
	MaxRecalledImages = 4        // images of a prompt, where earlier messages have any
	MaxRecalledText   = 400_000  // bytes of the texts of earlier messages' documents
)

// Attachment is a file that a user has attached to a message.
type Attachment struct {
	FileID    uuid.UUID
	Name      string
	MediaType string // detected from the bytes
	Size      int64  // bytes
	Deleted   bool   // the file is, and so its text and its bytes

	Extracted bool   // the text of a document is stored
	Text      string // of a document, as far as a model is given it
	Cut       bool   // the document has more text
	Image     []byte // of an image that a model is given
}

// IsImage reports whether a model is given the file as an image. Of any other file it is given the text.
func (a Attachment) IsImage() bool { return IsImage(a.MediaType) }

// IsImage reports whether models are given files of a type as images.
func IsImage(mediaType string) bool {
	switch mediaType {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		return true
	}
	return false
}

// MayAttach reports whether a file of a type may be attached: an image, or what may have text. Whether it has any is known when it
// is read.
func MayAttach(mediaType string) bool {
	kind, _, _ := strings.Cut(mediaType, "/")
	switch kind {
	case "image":
		return IsImage(mediaType) || strings.HasPrefix(mediaType, "image/svg")
	case "audio", "video", "font":
		return false
	}
	return true
}

// Image is an image in a prompt.
type Image struct {
	MediaType string
	Data      []byte
}

// ImagesOf returns the images of attachments that a model is given.
func ImagesOf(attached []Attachment) (images []Image) {
	for _, a := range attached {
		if a.Image != nil {
			images = append(images, Image{a.MediaType, a.Image})
		}
	}
	return images
}
