package domain

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// ErrFilter means that the filter of a search is not one.
var ErrFilter = errors.New("must be an object of at most 8 names of metadata, each with a value (a text, a number, true or false) or an array of 1 to 32 values")

const (
	maxFilterKeys = 8
	// perDocument is how many chunks of one document a search returns, where other documents have some too.
	perDocument = 3
)

// Filter is what the metadata of a document must have to be searched.
type Filter struct{ raw json.RawMessage }

// NewFilter returns ErrFilter for anything but an object of values and arrays of values. Nothing filters nothing.
func NewFilter(raw json.RawMessage) (Filter, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return Filter{json.RawMessage("{}")}, nil
	}
	var names map[string]json.RawMessage
	if err := json.Unmarshal(raw, &names); err != nil || len(names) > maxFilterKeys {
		return Filter{}, ErrFilter
	}
	lists := make(map[string][]json.RawMessage, len(names))
	for name, value := range names {
		list := []json.RawMessage{value}
		if strings.HasPrefix(string(value), "[") {
			if err := json.Unmarshal(value, &list); err != nil {
				return Filter{}, ErrFilter
			}
		}
		if len(list) == 0 || len(list) > maxFilterValues || slices.ContainsFunc(list, func(v json.RawMessage) bool { return !isMetadataValue(v) }) {
			return Filter{}, ErrFilter
		}
		lists[name] = list
	}
	whole, err := json.Marshal(lists)
	return Filter{whole}, err
}

// JSON returns the filter with an array of values for each name.
func (f Filter) JSON() json.RawMessage { return f.raw }

// SearchWord is a stem that is searched.
type SearchWord struct {
	Word      string
	InsteadOf string // the stem of the query that no document has; empty: it is of the query
	Chunks    int    // of the workspace that have it
	Weight    float64
}

// Candidate is a chunk that a search has found.
type Candidate struct {
	ChunkID, DocumentID, BaseID uuid.UUID
	Ordinal                     int
	Title                       string
	Score                       float64
	LexicalRank                 int      // from 1 on; 0: it was not found by words
	Cosine                      *float64 // of its vector and that of the query; nil: they were not compared
	RerankScore                 *float64 // of a reranking model; nil: it was not asked about it
}

// CompareRerank compares the scores of the reranking model. Any score is above none.
func (c Candidate) CompareRerank(o Candidate) int {
	switch {
	case c.RerankScore == nil && o.RerankScore == nil:
		return 0
	case o.RerankScore == nil:
		return 1
	case c.RerankScore == nil:
		return -1
	}
	return cmp.Compare(*c.RerankScore, *o.RerankScore)
}

// Reason is why a candidate is not returned by itself.
type Reason string

// The reasons.
const (
	BelowScore   Reason = "min_score"
	SameDocument Reason = "same_document"
	Joined       Reason = "joined"
	BelowTop     Reason = "top_k"
)

// LeftOut is a candidate that is not returned by itself.
type LeftOut struct {
	Candidate
	Reason Reason
}

// Group is a result: chunks of a document that follow each other.
type Group struct {
	Best   Candidate
	Chunks []Candidate // in their order in the document
}

// Select returns the groups of the best candidates, the best first, and what it has left out. The candidates are sorted by
// their scores. It takes at most three chunks of a document, unless no other document has any.
func Select(candidates []Candidate, topK int, minScore float64) (groups []Group, left []LeftOut) {
	one := !slices.ContainsFunc(candidates, func(c Candidate) bool { return c.Score >= minScore && c.DocumentID != candidates[0].DocumentID })
	count := map[uuid.UUID]int{}
	var taken []Candidate
	for _, c := range candidates {
		switch {
		case c.Score < minScore:
			left = append(left, LeftOut{c, BelowScore})
		case !one && count[c.DocumentID] >= perDocument:
			left = append(left, LeftOut{c, SameDocument})
		default:
			count[c.DocumentID]++
			taken = append(taken, c)
		}
	}
	for _, c := range taken {
		i := slices.IndexFunc(groups, func(g Group) bool { return g.follows(c) })
		switch {
		case i >= 0:
			left = append(left, LeftOut{c, Joined})
			groups[i].join(c)
			groups = mergeGroups(groups, i)
		case len(groups) < topK:
			groups = append(groups, Group{Best: c, Chunks: []Candidate{c}})
		default:
			left = append(left, LeftOut{c, BelowTop})
		}
	}
	return groups, left
}

// follows reports whether a chunk stands directly before or behind a group.
func (g Group) follows(c Candidate) bool {
	return c.DocumentID == g.Best.DocumentID &&
		(c.Ordinal == g.Chunks[0].Ordinal-1 || c.Ordinal == g.Chunks[len(g.Chunks)-1].Ordinal+1)
}

func (g *Group) join(chunks ...Candidate) {
	g.Chunks = append(g.Chunks, chunks...)
	slices.SortFunc(g.Chunks, func(a, b Candidate) int { return a.Ordinal - b.Ordinal })
}

// mergeGroups joins the group that has just grown with another one that it has reached. The better of both stays.
func mergeGroups(groups []Group, grown int) []Group {
	for i, g := range groups {
		if i != grown && (groups[grown].follows(g.Chunks[0]) || groups[grown].follows(g.Chunks[len(g.Chunks)-1])) {
			first, second := min(i, grown), max(i, grown)
			groups[first].join(groups[second].Chunks...)
			return slices.Delete(groups, second, second+1)
		}
	}
	return groups
}

// Span is a part of a text, in code points.
type Span struct{ Start, End int }

// FoundChunk is the content of a chunk that was found.
type FoundChunk struct {
	Chunk
	ID    uuid.UUID
	Words []int // numbers of its words that were found, from 1 on
}

// Highlights returns where the words that were found stand in the text of the document. Overlapping ones are one.
func (c FoundChunk) Highlights() (spans []Span) {
	words := Words(c.Text)
	for _, n := range c.Words {
		if n < 1 || n > len(words) {
			continue // it was stored by a release that divides texts in another way
		}
		span := Span{c.Start + words[n-1].Start, c.Start + words[n-1].End}
		if last := len(spans) - 1; last >= 0 && span.Start <= spans[last].End {
			spans[last].End = max(spans[last].End, span.End)
			continue
		}
		spans = append(spans, span)
	}
	return spans
}

// Runs divides chunks that follow each other where white space lies between two of them. It is in neither, so the text of
// both as one would not be that of the document.
func Runs(chunks []FoundChunk) (runs [][]FoundChunk) {
	first := 0
	for i := 1; i <= len(chunks); i++ {
		if i == len(chunks) || chunks[i].Start > chunks[i-1].End {
			runs, first = append(runs, chunks[first:i]), i
		}
	}
	return runs
}

// Join returns the chunks of a run as one, without what two of them share.
func Join(chunks []FoundChunk) (whole FoundChunk, highlights []Span) {
	whole = chunks[0]
	highlights = whole.Highlights()
	for _, c := range chunks[1:] {
		text := c.Text
		if shared := whole.End - c.Start; shared > 0 {
			text = text[advance(text, 0, shared):]
		}
		whole.Text += text
		whole.End = max(whole.End, c.End)
		for _, s := range c.Highlights() {
			if last := len(highlights) - 1; last >= 0 && s.Start <= highlights[last].End {
				highlights[last].End = max(highlights[last].End, s.End)
				continue
			}
			highlights = append(highlights, s)
		}
	}
	return whole, highlights
}
