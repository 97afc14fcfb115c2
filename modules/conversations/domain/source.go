package domain

import (
	"unicode/utf8"

	"github.com/google/uuid"
)

// Source is a part of a document that a model is given to answer from.
type Source struct {
	Number     int // from 1 on: the model cites the source by it
	DocumentID uuid.UUID
	ChunkID    uuid.UUID
	Title      string // of the document
	Headings   []string
	Page       int   // on which Text begins; 0: the document has no pages
	Pages      []int // where the next pages begin on which Text goes on, in code points of the kept text
	Start, End int   // of Text in the document's kept text, in code points
	Text       string
}

// Citation is a place in a document that an answer refers to. It is a snapshot: it stays as it is when the document
// changes.
type Citation struct {
	Number     int       `json:"number"` // of the source, as the answer has it in brackets
	DocumentID uuid.UUID `json:"document_id"`
	Title      string    `json:"title"`
	ChunkID    uuid.UUID `json:"chunk_id"`
	Page       *int      `json:"page"`  // nil: the document has no pages
	Start      int       `json:"start"` // of Quote in the document's kept text, in code points
	End        int       `json:"end"`
	Quote      string    `json:"quote"`
}

// Cite returns the citation of a part of the source's text. The offsets are in code points of that text. Where they name
// no part of it, the citation is of the whole text.
func (s Source) Cite(start, end int) Citation {
	c := Citation{Number: s.Number, DocumentID: s.DocumentID, Title: s.Title, ChunkID: s.ChunkID, Start: s.Start, Quote: s.Text}
	length := utf8.RuneCountInString(s.Text)
	if start >= 0 && start < end && end <= length {
		text := []rune(s.Text)
		c.Start, c.Quote, length = s.Start+start, string(text[start:end]), end-start
	}
	c.End = c.Start + length
	if s.Page > 0 {
		page := s.Page
		for _, begins := range s.Pages {
			if begins <= c.Start {
				page++
			}
		}
		c.Page = &page
	}
	return c
}
