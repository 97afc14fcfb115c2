package domain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

// KnowledgeSettings are the settings of a bot's version about the knowledge bases that it answers from.
type KnowledgeSettings struct {
	Bases   []KnownBase
	Rewrite bool   // a model rewrites a follow-up to a query of its own
	Refuse  bool   // where nothing is found, the answer is NoFound, and no model is asked
	NoFound string // the answer where nothing is found and Refuse says so
}

// KnownBase is a knowledge base that a bot answers from.
type KnownBase struct {
	ID       uuid.UUID
	TopK     int     // chunks that the model is given, at most
	MinScore float64 // of a chunk that the model is given
	Mode     string  // hybrid, lexical or vector; empty: as the base has embeddings or not
	Filter   json.RawMessage
	Rerank   bool // by the reranking model
}

const (
	defaultTopK    = 8
	defaultNoFound = "I have found nothing about this in the documents that I know."
)

// ReadKnowledge reads the settings of a bot's version.
func ReadKnowledge(settings json.RawMessage) (KnowledgeSettings, error) {
	var of struct {
		Knowledge []struct {
			ID       uuid.UUID       `json:"id"`
			TopK     *float64        `json:"top_k"` // a whole number; clients may write it as 7.0
			MinScore float64         `json:"min_score"`
			Mode     string          `json:"mode"`
			Filter   json.RawMessage `json:"filter"`
			Rerank   bool            `json:"rerank"`
		} `json:"knowledge"`
		Rewrite     bool   `json:"rewrite"`
		NoKnowledge string `json:"no_knowledge"`
		Text        string `json:"no_knowledge_text"`
	}
	if len(settings) > 0 {
		if err := jsonv2.Unmarshal(settings, &of); err != nil {
			return KnowledgeSettings{}, fmt.Errorf("the bot's settings of knowledge: %w", err)
		}
	}
	s := KnowledgeSettings{Rewrite: of.Rewrite, Refuse: of.NoKnowledge == "refuse", NoFound: defaultNoFound}
	if IsVisible(of.Text) {
		s.NoFound = of.Text
	}
	for _, k := range of.Knowledge {
		base := KnownBase{ID: k.ID, TopK: defaultTopK, MinScore: k.MinScore, Mode: k.Mode, Filter: k.Filter, Rerank: k.Rerank}
		if k.TopK != nil {
			base.TopK = int(*k.TopK)
		}
		s.Bases = append(s.Bases, base)
	}
	return s, nil
}

// KnowledgeSearch is one search in bases that have the same settings. They share the number of chunks.
type KnowledgeSearch struct {
	BaseIDs  []uuid.UUID
	TopK     int
	MinScore float64
	Mode     string
	Filter   json.RawMessage
	Rerank   bool
}

// Searches returns the searches in the bases of a bot: those with the same settings are searched at once.
func Searches(bases []KnownBase) (all []KnowledgeSearch) {
	for _, b := range bases {
		i := slices.IndexFunc(all, func(s KnowledgeSearch) bool {
			return s.TopK == b.TopK && s.MinScore == b.MinScore && s.Mode == b.Mode && s.Rerank == b.Rerank && bytes.Equal(s.Filter, b.Filter)
		})
		if i < 0 {
			i, all = len(all), append(all, KnowledgeSearch{TopK: b.TopK, MinScore: b.MinScore, Mode: b.Mode, Filter: b.Filter, Rerank: b.Rerank})
		}
		if !slices.Contains(all[i].BaseIDs, b.ID) {
			all[i].BaseIDs = append(all[i].BaseIDs, b.ID)
		}
	}
	return all
}
