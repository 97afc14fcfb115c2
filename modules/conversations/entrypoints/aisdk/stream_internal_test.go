package aisdk

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/domain"
)

// written returns the types of the parts that events become.
func written(t *testing.T, turn domain.TurnView, events ...domain.Event) (text, types string) {
	t.Helper()
	var (
		out bytes.Buffer
		p   = parts{}
		all []string
	)
	for _, e := range events {
		require.NoError(t, p.Event(&out, turn, e))
	}
	for line := range strings.SplitSeq(out.String(), "\n") {
		if _, kind, found := strings.Cut(line, `data: {"type":"`); found {
			all = append(all, kind[:strings.Index(kind, `"`)])
		}
	}
	return out.String(), strings.Join(all, " ")
}

func TestAnotherAttemptIsAStepOfItsOwn(t *testing.T) {
	t.Parallel()
	turn := domain.TurnView{ID: uuid.New(), Attempt: 2}
	created, begun := domain.Event{Type: domain.EventTurnCreated}, domain.Event{Type: domain.EventMessageCreated}
	word := domain.Event{Type: domain.EventMessageDelta, Text: "word"}
	text, types := written(t, turn, created, begun, word, created, begun, word)
	require.Equal(t, "start start-step text-start text-delta text-end finish-step data-attempt start-step text-start text-delta", types)
	require.Contains(t, text, `{"type":"data-attempt","id":"attempt","data":{"attempt":2}}`)
	require.Contains(t, text, `{"type":"text-start","id":"text-2"}`)
	_, types = written(t, turn, created, begun, created, begun, word)
	require.Equal(t, "start start-step text-start text-delta", types, "an attempt without text has nothing that would be void")
}

func TestACitationIsASourceOnce(t *testing.T) {
	t.Parallel()
	citation := domain.Citation{Number: 1, Title: "Terms", Start: 3, End: 9}
	other := domain.Citation{Number: 1, Title: "Terms", Start: 20, End: 29}
	turn := domain.TurnView{Answer: &domain.Message{Citations: []domain.Citation{citation, other}}}
	text, types := written(t, turn, domain.Event{Type: domain.EventTurnCreated}, domain.Event{Type: domain.EventMessageDelta, Text: "[1]"},
		domain.Event{Type: domain.EventCitation, Data: []byte(`{"number":1,"title":"Terms","start":3,"end":9}`)}, domain.Event{Type: domain.EventMessageCompleted})
	require.Equal(t, "start start-step text-start text-delta source-document text-end source-document", types)
	require.Contains(t, text, `"sourceId":"1-3-9","mediaType":"text/plain","title":"Terms","providerMetadata":{"parley":`)
}

func TestACallOfAToolIsAPartThatTheClientDoesNotMake(t *testing.T) {
	t.Parallel()
	call := func(kind domain.EventType, status string) domain.Event {
		return domain.Event{Type: kind, Data: []byte(`{"id":"c1","name":"stock","kind":"http","status":"` + status + `","arguments":{"item":"cup"}}`)}
	}
	word := domain.Event{Type: domain.EventMessageDelta, Text: "word"}
	text, types := written(t, domain.TurnView{}, word, call(domain.EventToolCall, "running"), call(domain.EventToolResult, "succeeded"), call(domain.EventToolResult, "unknown"), word)
	require.Equal(t, "text-start text-delta text-end tool-input-available tool-output-available tool-output-error text-start text-delta", types)
	require.Contains(t, text, `{"type":"tool-input-available","toolCallId":"c1","toolName":"stock","input":{"item":"cup"},"providerExecuted":true,"dynamic":true}`)
	require.Contains(t, text, `{"type":"tool-output-available","toolCallId":"c1","output":{"status":"succeeded"},"providerExecuted":true,"dynamic":true}`)
	require.Contains(t, text, `{"type":"tool-output-error","errorText":"the call is unknown","toolCallId":"c1","providerExecuted":true,"dynamic":true}`)

	var out bytes.Buffer
	require.NoError(t, (&parts{endUser: true}).Event(&out, domain.TurnView{}, call(domain.EventToolCall, "running")))
	require.Empty(t, out.String(), "an end user sees nothing of the bot")
}

func TestTheEndOfATurnIsAPart(t *testing.T) {
	t.Parallel()
	turn := domain.TurnView{Failure: &domain.Failure{Message: "no model"}}
	text, types := written(t, turn, domain.Event{Type: domain.EventTurnFailed})
	require.Equal(t, "error", types)
	require.True(t, strings.HasSuffix(text, "data: {\"type\":\"error\",\"errorText\":\"no model\"}\n\ndata: [DONE]\n\n"), text)
	_, types = written(t, turn, domain.Event{Type: domain.EventTurnCancelled})
	require.Equal(t, "abort", types)
}
