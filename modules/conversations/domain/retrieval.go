package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Retrieval is one search of a turn for what its model is given.
type Retrieval struct {
	Number     int // in its turn, from 1 on
	Query      string
	Mode       string // how it was searched
	Degraded   bool   // by words alone, as the query could not be embedded, or not reranked
	Candidates []RetrievalCandidate
	Latency    time.Duration
	At         time.Time
}

// RetrievalCandidate is a chunk that a retrieval has found. Its number is 0, and it has no text, unless the model was given it.
type RetrievalCandidate struct {
	Source
	BaseID      uuid.UUID
	Score       float64
	LexicalRank int      // from 1 on; 0: it was not found by words
	Cosine      *float64 // nil: it was not compared
	RerankScore *float64 // nil: the reranking model was not asked about it
	LeftOut     string   // why the model was not given it; empty: it was
}

// Given returns the sources of retrievals that the model is given: those whose text is not erased.
func Given(retrievals []Retrieval) (sources []Source) {
	for _, r := range retrievals {
		for _, c := range r.Candidates {
			if c.Number > 0 && c.Text != "" {
				sources = append(sources, c.Source)
			}
		}
	}
	return sources
}

// Revision identifies the knowledge that a retrieval has found. It is the same where the same chunks are found: a document that
// is changed or indexed anew has other chunks.
func (r Retrieval) Revision() string {
	ids := make([]string, 0, len(r.Candidates))
	for _, c := range r.Candidates {
		ids = append(ids, c.ChunkID.String())
	}
	slices.Sort(ids)
	sum := sha256.Sum256([]byte(strings.Join(ids, ",")))
	return hex.EncodeToString(sum[:8])
}

const (
	shortMessage = 12   // words of a message that is searched together with those before it
	maxQuery     = 2000 // characters of a query
	maxEarlier   = 500  // of each earlier message
	// EarlierMessages is of how many messages before it a query may be made, those of the assistant included.
	EarlierMessages = 4
)

// QueryOf returns what is searched for a message: the message, and where it is short and follows others, what the user wrote
// before it.
func QueryOf(message string, earlier []Message) string {
	parts := []string{message}
	if IsShort(message) {
		for _, m := range slices.Backward(earlier) {
			if m.Role == RoleUser {
				parts = append(parts, firstRunes(m.Content, maxEarlier))
			}
		}
	}
	return firstRunes(strings.Join(parts, "\n"), maxQuery)
}

// IsShort reports whether a message may be understood only with those before it.
func IsShort(message string) bool { return len(strings.Fields(message)) < shortMessage }

func firstRunes(text string, n int) string {
	if len(text) <= n {
		return text
	}
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n])
	}
	return text
}
