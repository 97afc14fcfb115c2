package openai

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/request/command"
)

// headerThread names the thread of a turn that stays.
const headerThread = "X-Parley-Thread-Id"

// completion is the response of a call that is not streamed.
type completion struct {
	chat     chat
	turn     domain.TurnView
	replayed bool
}

// VisitCreateChatCompletionResponse writes the response.
func (c completion) VisitCreateChatCompletionResponse(w http.ResponseWriter) error {
	answer := ChatAnswer{Role: ChatAnswerRoleAssistant, Annotations: []ChatAnnotation{}}
	if c.turn.Answer != nil {
		answer.Content = c.turn.Answer.Content
		var m markers
		m.text.WriteString(answer.Content)
		for _, citation := range c.turn.Answer.Citations {
			answer.Annotations = append(answer.Annotations, m.annotate(citation))
		}
	}
	body, err := json.Marshal(ChatCompletion{
		ID: completionID(c.turn), Object: ChatCompletionObjectChatCompletion, Created: c.turn.CreatedAt.Unix(), Model: c.chat.model,
		Choices: []ChatChoice{{Message: answer, FinishReason: finishReason(c.turn.FinishReason)}}, Usage: c.chat.usage(c.turn.Usage),
	})
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	c.chat.setHeaders(h, c.turn, c.replayed)
	w.WriteHeader(http.StatusOK)
	_, err = w.Write(body)
	return err
}

func (c asked) setHeaders(h http.Header, t domain.TurnView, replayed bool) {
	if replayed {
		h.Set(command.HeaderReplayed, "true")
	}
	if c.stays {
		h.Set(headerThread, t.ThreadID.String())
	}
}

func completionID(t domain.TurnView) string { return "chatcmpl-" + t.ID.String() }

// finishReason returns the reason in OpenAI's words. An unknown one is stop.
func finishReason(why domain.FinishReason) ChatChoiceFinishReason {
	switch why {
	case domain.FinishLength:
		return Length
	case domain.FinishFilter:
		return ContentFilter
	default:
		return Stop
	}
}

func toUsage(u domain.Usage) (usage ChatUsage) {
	count := func(n *int) int64 {
		if n == nil {
			return 0
		}
		return int64(*n)
	}
	usage.PromptTokens, usage.CompletionTokens = count(u.InputTokens), count(u.OutputTokens)
	usage.TotalTokens = usage.PromptTokens + usage.CompletionTokens
	usage.PromptTokensDetails.CachedTokens = count(u.CachedTokens)
	return usage
}

// markers finds the markers of citations, such as [1], in a text.
type markers struct {
	text strings.Builder
	seen map[int]int // by number: the byte after the last marker that was found
}

// annotate returns a citation with the place of its next marker. Citations of one number must be in the order of the text.
func (m *markers) annotate(c domain.Citation) ChatAnnotation {
	text, marker := m.text.String(), fmt.Sprintf("[%d]", c.Number)
	start := len(text) // where the text has no marker
	if at := strings.Index(text[m.seen[c.Number]:], marker); at >= 0 {
		start = m.seen[c.Number] + at
	}
	end := min(start+len(marker), len(text))
	if m.seen == nil {
		m.seen = map[int]int{}
	}
	m.seen[c.Number] = end
	first := utf8.RuneCountInString(text[:start])
	return ChatAnnotation{Type: URLCitation, URLCitation: ChatURLCitation{
		StartIndex: int32(first), EndIndex: int32(first + end - start), Title: c.Title, URL: c.DocumentID.URN(),
		Number: int32(c.Number), DocumentID: c.DocumentID, Quote: c.Quote,
	}}
}
