package openai

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/entrypoints/turnstream"
	"github.com/parley/parley/platform/request/fail"
)

// dataOf returns what an encoder writes of events, without the end.
func dataOf(t *testing.T, e turnstream.Encoder, turn domain.TurnView, events ...domain.Event) (list []map[string]any) {
	t.Helper()
	var out bytes.Buffer
	for _, event := range events {
		require.NoError(t, e.Event(&out, turn, event))
	}
	for line := range strings.SplitSeq(out.String(), "\n") {
		if data, ok := strings.CutPrefix(line, "data: "); ok && data != "[DONE]" {
			var one map[string]any
			require.NoError(t, json.Unmarshal([]byte(data), &one), data)
			list = append(list, one)
		}
	}
	return list
}

// cited are the events of an answer that cites twice by the same number.
func cited(t *testing.T) (domain.TurnView, []domain.Event) {
	t.Helper()
	citation := domain.Citation{Number: 1, DocumentID: uuid.New(), Title: "Terms", Quote: "thirty days"}
	data, err := json.Marshal(citation)
	require.NoError(t, err)
	turn := domain.TurnView{
		ID: uuid.New(), ThreadID: uuid.New(), Attempt: 1, Status: domain.TurnCompleted,
		Answer: &domain.Message{Content: "é thirty [1] days [1]", Citations: []domain.Citation{citation, citation}},
	}
	return turn, []domain.Event{
		{Sequence: 1, Type: domain.EventTurnCreated},
		{Sequence: 2, Type: domain.EventMessageCreated},
		{Sequence: 3, Type: domain.EventMessageDelta, Text: "é thirty [1]"},
		{Sequence: 4, Type: domain.EventCitation, Data: data},
		{Sequence: 5, Type: domain.EventMessageDelta, Text: " days [1]"},
		{Sequence: 6, Type: domain.EventCitation, Data: data},
		{Sequence: 7, Type: domain.EventMessageCompleted},
		{Sequence: 8, Type: domain.EventTurnCompleted},
	}
}

func stopped() time.Time { return time.Unix(0, 0) }

func TestCitationsAreAnnotationsOfChunks(t *testing.T) {
	t.Parallel()
	turn, events := cited(t)
	var places [][2]any
	for _, chunk := range dataOf(t, &chunks{header: http.Header{}, now: stopped}, turn, events...) {
		for _, choice := range chunk["choices"].([]any) {
			list, _ := choice.(map[string]any)["delta"].(map[string]any)["annotations"].([]any)
			for _, a := range list {
				require.Equal(t, "url_citation", a.(map[string]any)["type"])
				c := a.(map[string]any)["url_citation"].(map[string]any)
				require.Equal(t, []any{"Terms", "thirty days", 1.0}, []any{c["title"], c["quote"], c["number"]})
				places = append(places, [2]any{c["start_index"], c["end_index"]})
			}
		}
	}
	require.Equal(t, [][2]any{{9.0, 12.0}, {18.0, 21.0}}, places, "in code points, each at a marker of its own")
}

func TestCitationsAreAnnotationsOfResponses(t *testing.T) {
	t.Parallel()
	turn, events := cited(t)
	server := &Server{Now: stopped}
	stream := responseStream{server: server, at: -1}
	whole := dataOf(t, newResponseEvents(stream, "", http.Header{}, false), turn, events...)
	var places [][2]any
	for _, e := range whole {
		if a, ok := e["annotation"].(map[string]any); ok {
			require.Equal(t, []any{"response.output_text.annotation.added", "Terms"}, []any{e["type"], a["title"]})
			require.InDelta(t, len(places), e["annotation_index"], 0)
			places = append(places, [2]any{a["start_index"], a["end_index"]})
		}
	}
	require.Equal(t, [][2]any{{9.0, 12.0}, {18.0, 21.0}}, places)
	last := whole[len(whole)-1]["response"].(map[string]any)["output"].([]any)[0].(map[string]any)["content"].([]any)[0].(map[string]any)
	require.Len(t, last["annotations"], 2)
	require.Equal(t, last, whole[len(whole)-3]["part"], "the part that is done is that of the response")

	// A reader who goes on after the first citation receives the second one at the same place and with the same number.
	stream.at, stream.said = int64(whole[5]["sequence_number"].(float64)), "é thirty [1]"
	require.Equal(t, "response.output_text.annotation.added", whole[5]["type"])
	require.EqualValues(t, 4, positionAt(stream.at))
	stream.cited = turn.Answer.Citations[:1]
	require.Equal(t, whole[6:], dataOf(t, newResponseEvents(stream, "", http.Header{}, false), turn, events[4:]...))
}

func TestAReaderOfAnEarlierAttemptIsNotGivenAnotherText(t *testing.T) {
	t.Parallel()
	turn := domain.TurnView{ID: uuid.New(), Attempt: 2, Status: domain.TurnRunning}
	begun := domain.Event{Sequence: domain.AttemptSpan + 2, Type: domain.EventMessageCreated}
	e := newResponseEvents(responseStream{server: &Server{Now: stopped}, at: 11, early: true}, "", http.Header{}, false)
	require.ErrorIs(t, e.Event(&bytes.Buffer{}, turn, begun), errStale)
	e = newResponseEvents(responseStream{server: &Server{Now: stopped}, at: 3, early: true}, "", http.Header{}, false)
	require.NoError(t, e.Event(&bytes.Buffer{}, turn, begun), "it has no text yet")
	c := &chunks{header: http.Header{}, now: stopped}
	dataOf(t, c, turn, domain.Event{Type: domain.EventMessageDelta, Text: "x"})
	require.ErrorIs(t, c.Event(&bytes.Buffer{}, turn, begun), errRestarted)
}

func TestEndUsersReceiveNothingOfModels(t *testing.T) {
	t.Parallel()
	of := asked{endUser: true}
	require.Zero(t, of.usage(domain.Usage{InputTokens: new(9)}))
	why := fail.New(fail.Invalid, "MODEL_CREDENTIALS", "the key of openai/small is refused")
	var out bytes.Buffer
	(&chunks{chat: chat{asked: of}}).Fail(&out, why)
	(&responseEvents{responseStream: responseStream{call: responseCall{asked: of}}}).Fail(&out, why)
	require.NotContains(t, out.String(), "openai/small")
	failed := responseCall{asked: of}.response(domain.TurnView{Status: domain.TurnFailed, Failure: &domain.Failure{Code: why.Code, Message: why.Message}})
	require.NotContains(t, failed.Error.Message, "openai/small")
}
