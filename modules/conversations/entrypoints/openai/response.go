package openai

import (
	"strings"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/request/gateway"
)

// The states of a response and of its message.
const (
	stateInProgress = "in_progress"
	stateCompleted  = "completed"
	stateIncomplete = "incomplete"
	stateFailed     = "failed"
	stateCancelled  = "cancelled"
)

// response returns a turn as a response.
func (c responseCall) response(t domain.TurnView) OpenAIResponse {
	r := OpenAIResponse{
		ID: responseID(t.ThreadID, t.ID), Object: "response", CreatedAt: t.CreatedAt.Unix(), Status: responseState(t), Model: c.model,
		Output: []ResponseMessage{}, PreviousResponseID: c.previous, ServiceTier: "default", Store: c.stays, ToolChoice: "auto",
		Tools: []map[string]any{}, Truncation: "disabled", Metadata: map[string]any{},
	}
	r.Text.Format.Type = "text"
	if c.stays {
		r.Conversation = &struct {
			ID string `json:"id"`
		}{t.ThreadID.String()}
	}
	if !t.Ended() {
		return r
	}
	usage := toResponseUsage(c.usage(t.Usage))
	r.Usage = &usage
	if t.FinishedAt != nil {
		r.CompletedAt = new(t.FinishedAt.Unix())
	}
	if t.Status == domain.TurnFailed {
		failed := gateway.OpenAIErrorOf(c.failure(fail.From(failureOf(t))), "").Error
		r.Error = &struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		}{failed.Code, failed.Message}
	}
	if reason := incompleteReason(t); reason != "" {
		r.IncompleteDetails = &struct {
			Reason string `json:"reason"`
		}{reason}
	}
	if t.Answer != nil {
		var m markers
		m.text.WriteString(t.Answer.Content)
		r.Output = append(r.Output, toResponseMessage(t, t.Answer.Content, annotationsOf(&m, t.Answer.Citations)))
	}
	return r
}

func annotationsOf(m *markers, citations []domain.Citation) []ResponseAnnotation {
	list := []ResponseAnnotation{}
	for _, c := range citations {
		list = append(list, toResponseAnnotation(m.annotate(c)))
	}
	return list
}

func toResponseAnnotation(a ChatAnnotation) ResponseAnnotation {
	c := a.URLCitation
	return ResponseAnnotation{
		Type: string(a.Type), StartIndex: c.StartIndex, EndIndex: c.EndIndex, Title: c.Title, URL: c.URL, Number: c.Number, DocumentID: c.DocumentID, Quote: c.Quote,
	}
}

// toResponseMessage returns the answer of a turn that has ended.
func toResponseMessage(t domain.TurnView, text string, annotations []ResponseAnnotation) ResponseMessage {
	m := ResponseMessage{ID: messageID(t), Type: "message", Status: stateCompleted, Role: "assistant", Content: []ResponseText{toResponseText(text, annotations)}}
	if responseState(t) != stateCompleted {
		m.Status = stateIncomplete
	}
	return m
}

func toResponseText(text string, annotations []ResponseAnnotation) ResponseText {
	return ResponseText{Type: "output_text", Text: text, Annotations: annotations, Logprobs: []map[string]any{}}
}

func messageID(t domain.TurnView) string {
	return messagePrefix + strings.ReplaceAll(domain.AnswerID(t.ID).String(), "-", "")
}

func responseState(t domain.TurnView) string {
	switch t.Status {
	case domain.TurnRunning:
		return stateInProgress
	case domain.TurnFailed:
		return stateFailed
	case domain.TurnCancelled:
		return stateCancelled
	default:
		if incompleteReason(t) != "" {
			return stateIncomplete
		}
		return stateCompleted
	}
}

// incompleteReason returns what has cut the answer of a turn; empty: nothing has.
func incompleteReason(t domain.TurnView) string {
	switch {
	case t.Status != domain.TurnCompleted:
		return ""
	case t.FinishReason == domain.FinishLength:
		return "max_output_tokens"
	case t.FinishReason == domain.FinishFilter:
		return "content_filter"
	default:
		return ""
	}
}

func toResponseUsage(chat ChatUsage) (usage ResponseUsage) {
	usage.InputTokens, usage.OutputTokens, usage.TotalTokens = chat.PromptTokens, chat.CompletionTokens, chat.TotalTokens
	usage.InputTokensDetails.CachedTokens = chat.PromptTokensDetails.CachedTokens
	return usage
}
