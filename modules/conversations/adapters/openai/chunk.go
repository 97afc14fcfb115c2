package openai

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/openai/openai-go/v3/packages/ssestream"

	"github.com/parley/parley/modules/conversations/adapters/modelstream"
)

// chunk has the fields that are read of an event of a Chat Completion, or of a whole one. The library's own types do
// not fit: they read content that is a list as text, and null in error as an error.
type chunk struct {
	Object  string          `json:"object"`
	Error   json.RawMessage `json:"error"`
	Choices []choice        `json:"choices"`
	Usage   *usage          `json:"usage"`
	Groq    struct {
		Error string `json:"error"` // why the stream was stopped early
		Usage *usage `json:"usage"`
	} `json:"x_groq"`
}

type choice struct {
	Delta        *message `json:"delta"`
	Message      message  `json:"message"` // of a whole answer; some servers send it beside the delta, with the text so far
	FinishReason string   `json:"finish_reason"`
	Usage        *usage   `json:"usage"` // of Moonshot
}

type message struct {
	Content          content `json:"content"`
	Refusal          string  `json:"refusal"`
	ReasoningContent content `json:"reasoning_content"` // of DeepSeek, vLLM, SGLang, Ollama
	Reasoning        content `json:"reasoning"`         // of OpenRouter, Groq, newer vLLM
	ToolCalls        []call  `json:"tool_calls"`
	FunctionCall     *called `json:"function_call"` // of older servers, one in an answer
}

// content is text, or a list of parts of which those of type text are used. Mistral's reasoning models have parts of type
// thinking besides.
type content struct {
	text  string
	other bool // there is something that is not text
}

// UnmarshalJSON reads content in any of its forms.
func (c *content) UnmarshalJSON(raw []byte) error {
	switch raw[0] {
	case '"':
		return json.Unmarshal(raw, &c.text)
	case '[':
		var parts []json.RawMessage
		if err := json.Unmarshal(raw, &parts); err != nil {
			return err
		}
		for _, p := range parts {
			var part content
			if err := part.UnmarshalJSON(p); err != nil {
				return err
			}
			c.text += part.text
			c.other = c.other || part.other
		}
	case '{':
		var part struct {
			Type string          `json:"type"`
			Text json.RawMessage `json:"text"`
		}
		if err := json.Unmarshal(raw, &part); err != nil {
			return err
		}
		if part.Type != "text" && part.Type != "output_text" || len(part.Text) == 0 || part.Text[0] != '"' {
			c.other = true
			return nil
		}
		return json.Unmarshal(part.Text, &c.text)
	}
	return nil
}

// usage is in tokens. Counts are read as numbers of any form.
type usage struct {
	Prompt     *float64 `json:"prompt_tokens"`
	Completion *float64 `json:"completion_tokens"`
	Details    struct {
		Cached *float64 `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
	CacheHit *float64 `json:"prompt_cache_hit_tokens"` // of DeepSeek
	Cached   *float64 `json:"cached_tokens"`           // of Moonshot
}

// decode reads an event.
func decode(kind string, data []byte) (modelstream.Part, error) {
	var c chunk
	if err := json.Unmarshal(data, &c); err != nil {
		return modelstream.Part{}, errors.New("an event of the answer cannot be read")
	}
	if kind == "error" || c.Object == "error" || c.Groq.Error != "" || isError(c.Error) {
		event := ssestream.Event{Type: kind, Data: bytes.Clone(data)}
		return modelstream.Part{}, &ssestream.StreamError{Message: "the server ended its answer with an error", Event: event}
	}
	part := modelstream.Part{Last: c.Object == "chat.completion" && c.isWhole()}
	sent := c.Usage
	if sent == nil {
		sent = c.Groq.Usage
	}
	for _, choice := range c.Choices {
		m := choice.Message
		if choice.Delta != nil {
			m = *choice.Delta
		}
		part.Text += m.Content.text
		part.Refusal += m.Refusal
		part.Calls = append(part.Calls, m.calls()...)
		part.Reasoning = part.Reasoning || m.Content.other || m.ReasoningContent.text != "" || m.Reasoning.text != ""
		if choice.FinishReason != "" {
			part.Reason = choice.FinishReason
		}
		if sent == nil {
			sent = choice.Usage
		}
	}
	part.Usage, part.Total = sent.tokens(), sent != nil
	return part, nil
}

// isWhole reports whether a completion has its message in one piece. Some servers use the same object type for the
// events of a stream.
func (c chunk) isWhole() bool {
	for _, choice := range c.Choices {
		if choice.Delta != nil {
			return false
		}
	}
	return len(c.Choices) > 0
}

// isError reports whether the field error of an event says that there is one: some servers send it with every event, empty.
func isError(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "null", `""`, "{}", "false":
		return false
	}
	return true
}

// tokens returns the counts; some servers send only a part of them.
func (u *usage) tokens() modelstream.Usage {
	if u == nil {
		return modelstream.Usage{}
	}
	cached := count(u.Details.Cached)
	for _, other := range []*float64{u.CacheHit, u.Cached} {
		if cached == nil {
			cached = count(other)
		}
	}
	if cached == nil {
		cached = new(0)
	}
	return modelstream.Usage{Input: count(u.Prompt), Cached: cached, Output: count(u.Completion)}
}

// count returns a number of tokens; nil where there is none or it is not valid.
func count(n *float64) *int {
	if n == nil || *n < 0 || *n > 1<<40 {
		return nil
	}
	return new(int(*n))
}
