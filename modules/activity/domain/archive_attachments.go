package domain

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/google/uuid"
)

// The bounds of the attachments of a message.
const (
	maxRowAttachments   = 10
	maxAttachmentName   = 255
	maxAttachmentColumn = 32 << 10 // bytes
)

// isAttachments accepts the files that are attached to a message: the types of the fields are those that a list of messages reads.
func isAttachments(value json.RawMessage) error {
	var list []struct {
		FileID    *uuid.UUID `json:"file_id"`
		Name      string     `json:"name"`
		MediaType string     `json:"media_type"`
		Size      int64      `json:"size"`
	}
	var values []any
	if len(value) > maxAttachmentColumn || json.Unmarshal(value, &list) != nil || json.Unmarshal(value, &values) != nil || len(list) > maxRowAttachments || hasNUL(values) {
		return errValue
	}
	for _, a := range list {
		named := utf8.RuneCountInString(a.Name) <= maxAttachmentName && len(a.MediaType) <= maxAttachmentName && a.Name != "" && a.MediaType != ""
		if a.FileID == nil || a.Size < 1 || !named {
			return errValue
		}
	}
	return nil
}
