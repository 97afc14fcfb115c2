package modeltest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/anthropic"
	"github.com/parley/parley/modules/conversations/adapters/echo"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
	"github.com/parley/parley/modules/conversations/adapters/openai"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/work/webhook"
)

// asked is a prompt with two sources, and a reader of the answer's citations.
func asked() (ports.Prompt, *domain.CitationReader) {
	sources := []domain.Source{
		{Number: 1, Title: "Terms", Text: "Refunds take five days. Shipping is free. We are closed on Sundays.", Start: 100},
		{Number: 2, Title: "Cards", Headings: []string{"Gifts"}, Page: 4, Text: "Anybody can buy one. Gift cards never expire.", Start: 7},
	}
	reader := domain.NewCitationReader(sources)
	p := hi
	p.Pinned = &domain.Pinned{Instruction: "Be kind."}
	p.Found = ports.Found{Sources: sources, Boundary: "K7QX2M4ABCDEF", Locate: reader.Locate}
	return p, reader
}

// readBy collects the text and the citations of an answer.
func readBy(t *testing.T, m ports.Model, p ports.Prompt, reader *domain.CitationReader) (text string, quotes []string) {
	t.Helper()
	take := func(piece string, found []domain.Citation) {
		text += piece
		for _, c := range found {
			quotes = append(quotes, fmt.Sprintf("%d %d-%d %s", c.Number, c.Start, c.End, c.Quote))
		}
	}
	_, err := m.Reply(t.Context(), p, func(piece string) { take(reader.Write(piece)) })
	require.NoError(t, err)
	take(reader.Close())
	return text, quotes
}

func TestAnthropicCitesSearchResultsByItself(t *testing.T) {
	t.Parallel()
	s := modeltest.New(t, modeltest.Script{Format: "anthropic-citations"})
	p, reader := asked()
	text, quotes := readBy(t, anthropic.Model{Key: key, URL: s.URL, Client: webhook.NewStreamClient(webhook.AnyTargets)}, p, reader)
	require.Equal(t, "Gift cards never expire [2], and refunds take five days. [1][2]", text)
	require.Equal(t, []string{
		"2 28-52 Gift cards never expire.", "1 100-141 Refunds take five days. Shipping is free.", "2 7-27 Anybody can buy one.",
	}, quotes)
	body := s.Calls()[0].Body
	require.Equal(t, []any{map[string]any{"type": "text", "text": "Be kind.\n\n" + domain.CitedRules}}, body["system"])
	on := map[string]any{"enabled": true}
	block := func(text string) map[string]any { return map[string]any{"type": "text", "text": text} }
	require.Equal(t, []any{map[string]any{"role": "user", "content": []any{
		map[string]any{"type": "search_result", "source": "source-1", "title": "Terms", "citations": on, "content": []any{
			block("Refunds take five days. "), block("Shipping is free. "), block("We are closed on Sundays."),
		}},
		map[string]any{"type": "search_result", "source": "source-2", "title": "Cards / Gifts", "citations": on, "content": []any{
			block("Anybody can buy one. "), block("Gift cards never expire."),
		}},
		block("Hi"),
	}}}, body["messages"])
}

// Older models of Anthropic, and some servers that speak its API, know no search results.
func TestSourcesAreSentAsTextWhereSearchResultsAreRefused(t *testing.T) {
	t.Parallel()
	refusal := modeltest.Script{Status: 400, Body: `{"type":"error","error":{"type":"invalid_request_error","message":"messages.0.content.0: Input tag 'search_result' found using 'type' does not match any of the expected tags"}}`}
	s := modeltest.New(t, refusal, modeltest.Script{Pieces: []string{"Gift cards do not expire 【", "2】."}})
	p, reader := asked()
	text, quotes := readBy(t, anthropic.Model{Key: key, URL: s.URL, Client: webhook.NewStreamClient(webhook.AnyTargets)}, p, reader)
	require.Equal(t, "Gift cards do not expire [2].", text)
	require.Equal(t, []string{"2 28-52 Gift cards never expire."}, quotes)
	require.Len(t, s.Calls(), 2)
	require.Equal(t, []string{"user: " + domain.SourceText(p.Found.Sources, p.Found.Boundary) + "\n\nHi"}, s.Calls()[1].Messages())
}

func TestOtherModelsAreSentTheSourcesAsText(t *testing.T) {
	t.Parallel()
	s := modeltest.New(t, modeltest.Script{Pieces: []string{"Refunds take five days [", "1]"}})
	p, reader := asked()
	text, quotes := readBy(t, openai.Model{Key: key, URL: s.URL, Client: webhook.NewStreamClient(webhook.AnyTargets)}, p, reader)
	require.Equal(t, "Refunds take five days [1]", text)
	require.Equal(t, []string{"1 100-123 Refunds take five days."}, quotes)
	require.Equal(t, []string{
		"system: Be kind.\n\n" + domain.SourceRules(p.Found.Boundary),
		"user: " + domain.SourceText(p.Found.Sources, p.Found.Boundary) + "\n\nHi",
	}, s.Calls()[0].Messages())
}

func TestTheEchoModelCitesItsFirstSource(t *testing.T) {
	t.Parallel()
	p, reader := asked()
	text, quotes := readBy(t, echo.Model{}, p, reader)
	require.Equal(t, "Echo: Hi\n\nRefunds take five days. [1]", text)
	require.Equal(t, []string{"1 100-123 Refunds take five days."}, quotes)
}
