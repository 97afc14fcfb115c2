package domain

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Errors of knowledge bases.
var (
	ErrBaseName        = errors.New("must have 1 to 200 characters, not only spaces")
	ErrBaseDescription = errors.New("must have at most 2000 characters")
	ErrChunkSize       = fmt.Errorf("must be %d to %d", MinChunkSize, MaxChunkSize)
	ErrLanguage        = errors.New("must be one of the languages that GET /openapi.yaml lists")
)

// DefaultLanguage stems Russian and English words.
const DefaultLanguage = "russian"

const (
	maxBaseName        = 200
	maxBaseDescription = 2000
)

// Languages returns the languages whose words are reduced to their stems. "simple" takes words as they are.
func Languages() []string {
	return []string{
		"simple", "arabic", "armenian", "basque", "catalan", "danish", "dutch", "english", "finnish", "french", "german", "greek", "hindi",
		"hungarian", "indonesian", "irish", "italian", "lithuanian", "nepali", "norwegian", "portuguese", "romanian", "russian", "serbian",
		"spanish", "swedish", "tamil", "turkish", "yiddish",
	}
}

// KnowledgeBase is a set of documents that is searched as one.
type KnowledgeBase struct {
	ID             uuid.UUID
	WorkspaceID    uuid.UUID
	Name           string
	Description    string
	Language       string  // one of Languages; it never changes
	EmbeddingModel *string // nil: search by words only
	Chunks         ChunkOptions
	Counts         map[DocumentStatus]int // documents; a status without any may be missing
	ChunkCount     int64                  // of all documents
	CreatedBy      uuid.UUID
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// Documents returns how many documents the base has, without those that are being deleted.
func (b KnowledgeBase) Documents() (n int) {
	for status, count := range b.Counts {
		if status != Deleting {
			n += count
		}
	}
	return n
}

// BaseAttributes are the fields of a knowledge base that its maker chooses. A nil field has its default, or stays as it
// is where a base is changed.
type BaseAttributes struct {
	Name, Description       *string
	Language                *string
	EmbeddingModel          ModelChoice
	ChunkSize, ChunkOverlap *int
}

// ModelChoice is an embedding model that is chosen, or none. The zero value chooses nothing.
type ModelChoice struct {
	Chosen bool
	Model  *string // nil: search by words only
}

// WrongField is a field of an input whose value is refused.
type WrongField struct {
	Field string
	Err   error
}

// NewKnowledgeBase returns a base without documents, or the fields that are wrong.
func NewKnowledgeBase(workspace, by uuid.UUID, a BaseAttributes, now time.Time) (KnowledgeBase, []WrongField) {
	b := KnowledgeBase{
		ID: uuid.Must(uuid.NewV7()), WorkspaceID: workspace, Language: DefaultLanguage, CreatedBy: by, CreatedAt: now,
		Chunks: ChunkOptions{Size: DefaultChunkSize, Overlap: DefaultChunkOverlap},
	}
	if a.Name == nil {
		empty := ""
		a.Name = &empty
	}
	if a.ChunkSize != nil && a.ChunkOverlap == nil {
		overlap := *a.ChunkSize / 8
		a.ChunkOverlap = &overlap
	}
	var wrong []WrongField
	if a.Language != nil {
		b.Language = *a.Language
		if !slices.Contains(Languages(), b.Language) {
			wrong = append(wrong, WrongField{"language", ErrLanguage})
		}
	}
	_, more := b.Change(a, now)
	return b, append(wrong, more...)
}

// Change sets the fields that may change, and reports whether the documents have to be indexed anew. It
// returns the fields that are wrong; the base is unchanged then.
func (b *KnowledgeBase) Change(a BaseAttributes, now time.Time) (rebuild bool, wrong []WrongField) {
	next := *b
	if a.Name != nil {
		next.Name = strings.TrimSpace(*a.Name)
		if n := utf8.RuneCountInString(next.Name); n == 0 || n > maxBaseName {
			wrong = append(wrong, WrongField{"name", ErrBaseName})
		}
	}
	if a.Description != nil {
		next.Description = *a.Description
		if utf8.RuneCountInString(next.Description) > maxBaseDescription {
			wrong = append(wrong, WrongField{"description", ErrBaseDescription})
		}
	}
	size, overlap := next.Chunks.Size, next.Chunks.Overlap
	if a.ChunkSize != nil {
		size = *a.ChunkSize
	}
	if a.ChunkOverlap != nil {
		overlap = *a.ChunkOverlap
	}
	chunks, err := NewChunkOptions(size, overlap)
	switch {
	case err == nil:
	case size < MinChunkSize || size > MaxChunkSize:
		wrong = append(wrong, WrongField{"chunk_size", ErrChunkSize})
	default:
		wrong = append(wrong, WrongField{"chunk_overlap", fmt.Errorf("must be 0 to %d, a quarter of chunk_size, and is %d", size/4, overlap)})
	}
	if len(wrong) > 0 {
		return false, wrong
	}
	if a.EmbeddingModel.Chosen {
		next.EmbeddingModel = a.EmbeddingModel.Model
	}
	next.Chunks, next.UpdatedAt = chunks, now
	rebuild = chunks != b.Chunks || (next.EmbeddingModel == nil) != (b.EmbeddingModel == nil) ||
		next.EmbeddingModel != nil && *next.EmbeddingModel != *b.EmbeddingModel
	*b = next
	return rebuild, nil
}

// UsingBot is a bot that uses a knowledge base.
type UsingBot struct {
	ID   uuid.UUID `json:"id"`
	Name string    `json:"name"`
}
