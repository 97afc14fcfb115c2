package domain

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// DocumentStatus is what is being done with a document.
type DocumentStatus string

// The statuses. A document whose next generation is built, or whose building failed, is still found in its current one.
const (
	Queued     DocumentStatus = "queued"
	Extracting DocumentStatus = "extracting"
	Chunking   DocumentStatus = "chunking"
	Embedding  DocumentStatus = "embedding"
	Ready      DocumentStatus = "ready"
	Failed     DocumentStatus = "failed"
	Deleting   DocumentStatus = "deleting"
)

// Stage is a step of the building of a generation.
type Stage string

// The stages.
const (
	StageNone    Stage = "" // nothing is done yet
	StageExtract Stage = "extract"
	StageChunk   Stage = "chunk"
	StageEmbed   Stage = "embed"
)

// Errors of documents.
var (
	ErrTitle    = errors.New("must have 1 to 300 characters, not only spaces")
	ErrNoTitle  = errors.New("is required together with text")
	ErrText     = errors.New("must have a visible character")
	ErrMetadata = errors.New("must be an object of at most 16 keys of 1 to 64 letters, digits, '_', '-' and '.', each with a text of at most 256 characters, a number, true or false")
	ErrSource   = errors.New("is required where there is no text: give either file_id, or title and text")
	ErrSources  = errors.New("cannot be given together with text: give either file_id, or title and text")
)

const maxTitle = 300

// Document is a file or a text in a knowledge base.
type Document struct {
	ID          uuid.UUID
	WorkspaceID uuid.UUID
	BaseID      uuid.UUID
	FileID      *uuid.UUID // nil: the text was sent with the call
	Title       string
	Metadata    Metadata
	ContentType string
	ContentHash [32]byte // SHA-256 of the file, or of the text as it was sent
	Size        int64    // bytes of the file, or of the text as it was sent
	Status      DocumentStatus
	Stage       *Stage
	Generation  int // that is searched; 0: none is complete yet
	Building    int // that is built, or whose building failed; 0: none
	Build       BuildOptions
	ChunksDone  int  // of the generation that is built
	ChunksTotal *int // nil: not known yet
	Indexed          // the current generation
	Error       *BuildError
	CreatedBy   uuid.UUID
	CreatedAt   time.Time
	UpdatedAt   time.Time
	IndexedAt   *time.Time // when the current generation was complete
}

// Indexed is the size of a generation of a document.
type Indexed struct {
	Chunks, Characters int
	TextBytes          int64
	Pages              *int // nil: the format has no pages
}

// BuildOptions are how a generation is built.
type BuildOptions struct {
	Chunks ChunkOptions
	Reuse  bool // take the text of the current generation, and extract none
}

// BuildError is why a generation could not be built.
type BuildError struct{ Code, Message string }

// NewTitle returns a title without spaces around it, or ErrTitle.
func NewTitle(s string) (string, error) {
	s = strings.TrimSpace(Clean(s))
	if n := utf8.RuneCountInString(s); n == 0 || n > maxTitle {
		return "", ErrTitle
	}
	return s, nil
}

// TitleOfFile returns the title of a document whose maker gave none: the name of its file.
func TitleOfFile(name FileName) string {
	return name.String()
}

// Metadata is a flat JSON object that documents are filtered by.
type Metadata struct{ raw json.RawMessage }

const (
	maxMetadataKeys  = 16
	maxMetadataValue = 256 // code points
	maxFilterValues  = 32
)

var metadataKey = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// NewMetadata returns ErrMetadata for anything but a flat object. Nothing stands for an empty one.
func NewMetadata(raw json.RawMessage) (Metadata, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return Metadata{json.RawMessage("{}")}, nil
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil || len(values) > maxMetadataKeys {
		return Metadata{}, ErrMetadata
	}
	for key, value := range values {
		if !metadataKey.MatchString(key) || !isMetadataValue(value) {
			return Metadata{}, ErrMetadata
		}
	}
	return Metadata{raw}, nil
}

// RestoreMetadata returns stored metadata as they are.
func RestoreMetadata(stored json.RawMessage) Metadata { return Metadata{stored} }

// JSON returns the object.
func (m Metadata) JSON() json.RawMessage { return m.raw }

func isMetadataValue(raw json.RawMessage) bool {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return false
	}
	switch v := value.(type) {
	case string:
		return utf8.RuneCountInString(v) <= maxMetadataValue && !strings.ContainsRune(v, 0)
	case float64, bool:
		return true
	}
	return false
}
