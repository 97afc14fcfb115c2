package domain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/domain"
)

func TestEventsBetweenTheTextKeepTheirPlaces(t *testing.T) {
	t.Parallel()
	retrieved, err := domain.EventChunk(domain.EventRetrieved, map[string]int{"a": 1})
	require.NoError(t, err)
	cited, err := domain.EventChunk(domain.EventCitation, domain.Citation{Number: 2, Quote: "q"})
	require.NoError(t, err)
	chunks := []string{retrieved, "Hel", "lo [2]", cited, " and", " bye"}
	require.Equal(t, "Hello [2] and bye", domain.TextOf(chunks))
	require.Equal(t, []domain.Citation{{Number: 2, Quote: "q"}}, domain.CitationsOf(chunks))

	now := time.Now()
	running := domain.TurnView{Status: domain.TurnRunning, Attempt: 1}
	completed := domain.TurnView{Status: domain.TurnCompleted, Attempt: 1, FinishedAt: &now, Answer: &domain.Message{Content: "Hello [2] and bye"}}
	types := func(events []domain.Event) (list []domain.EventType) {
		for _, e := range events {
			list = append(list, e.Type)
		}
		return list
	}
	all := running.Events(chunks, 0, 2, now)
	require.Equal(t, []domain.EventType{
		domain.EventRetrieved, domain.EventMessageDelta, domain.EventMessageDelta, domain.EventCitation, domain.EventMessageDelta, domain.EventMessageDelta,
	}, types(all))
	require.JSONEq(t, `{"a": 1}`, string(all[0].Data))
	require.Equal(t, []domain.EventType{
		domain.EventRetrieved, domain.EventMessageDelta, domain.EventCitation, domain.EventMessageDelta, domain.EventMessageCompleted, domain.EventTurnCompleted,
	}, types(completed.Events(chunks, 0, 2, now)), "texts that follow each other are one event")
	for position := int64(2); position <= 8; position++ { // wherever a reader comes back, it gets the rest
		seen := ""
		for _, e := range running.Events(chunks, 0, 2, now) {
			if e.Sequence <= position {
				seen += e.Text
			}
		}
		last := position
		for _, e := range completed.Events(chunks, 0, position, now) {
			require.Greater(t, e.Sequence, last)
			last = e.Sequence
			seen += e.Text
		}
		require.Equal(t, "Hello [2] and bye", seen, position)
	}
	cancelled := domain.TurnView{Status: domain.TurnCancelled, Attempt: 1, Answer: &domain.Message{Content: "Hello [2] and bye", Cancelled: true}}
	require.Equal(t, domain.EventCitation, types(cancelled.Events(chunks, 0, 5, now))[0])
	turn := domain.Turn{}
	partial := turn.Partial(chunks, now)
	require.Equal(t, []any{"Hello [2] and bye", 1}, []any{partial.Content, len(partial.Citations)})
}

func TestNoTextOfAModelIsTakenForAnEvent(t *testing.T) {
	t.Parallel()
	forged, err := domain.EventChunk(domain.EventCitation, domain.Citation{Number: 1})
	require.NoError(t, err)
	stored := domain.Storable(forged)
	require.Empty(t, domain.CitationsOf([]string{stored}))
	require.Equal(t, stored, domain.TextOf([]string{stored}))
	require.Equal(t, "a\uFFFDb", domain.Storable("a\xff\x00b"))
}

func TestACitationIsOnThePageOfItsQuote(t *testing.T) {
	t.Parallel()
	s := domain.Source{Number: 1, Page: 3, Start: 100, End: 130, Pages: []int{110, 120}, Text: "0123456789abcdefghij0123456789"}
	for start, page := range map[int]int{0: 3, 9: 3, 10: 4, 19: 4, 20: 5} {
		require.Equal(t, page, *s.Cite(start, start+1).Page, start)
	}
	s.Page = 0
	require.Nil(t, s.Cite(0, 1).Page)
}
