package domain

import (
	"cmp"
	"slices"

	"github.com/google/uuid"
)

// fusionRank is the constant k of reciprocal rank fusion: how little the first ranks count more than the next ones.
const fusionRank = 60

// Fuse joins the candidates of a search by words and of one by vectors, each sorted by its own scores, by reciprocal rank
// fusion. The scores are from 0 to 1, which is that of the first of both.
func Fuse(lexical, near []Candidate) []Candidate {
	var all []Candidate
	places := make(map[uuid.UUID]int, len(lexical)+len(near))
	for _, list := range [][]Candidate{lexical, near} {
		for i, c := range list {
			score := float64(fusionRank+1) / (2 * float64(fusionRank+1+i))
			place, there := places[c.ChunkID]
			if !there {
				place = len(all)
				places[c.ChunkID], all = place, append(all, c)
				all[place].Score = 0
			}
			all[place].Score += score
			all[place].LexicalRank = max(all[place].LexicalRank, c.LexicalRank)
			if c.Cosine != nil {
				all[place].Cosine = c.Cosine
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Candidate) int { return cmp.Compare(b.Score, a.Score) })
	return all
}

// Interleave makes one list of several that are sorted by scores which do not compare: the first of each, then the second of
// each. A candidate's score is at most that of the one before it.
func Interleave(lists [][]Candidate) (all []Candidate) {
	longest := 0
	for _, list := range lists {
		longest = max(longest, len(list))
	}
	for i := range longest {
		for _, list := range lists {
			if i < len(list) {
				c := list[i]
				if len(all) > 0 {
					c.Score = min(c.Score, all[len(all)-1].Score)
				}
				all = append(all, c)
			}
		}
	}
	return all
}

// AboveCosine divides candidates into those whose cosine is at least a number and the others. Candidates of bases without
// embeddings have none, and pass; in other bases one without a cosine is further away than all that have one.
func AboveCosine(candidates []Candidate, least float64, embedded map[uuid.UUID]bool) (kept []Candidate, left []LeftOut) {
	for _, c := range candidates {
		if least > 0 && embedded[c.BaseID] && (c.Cosine == nil || *c.Cosine < least) {
			left = append(left, LeftOut{c, BelowScore})
		} else {
			kept = append(kept, c)
		}
	}
	return kept, left
}
