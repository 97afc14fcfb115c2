package modelstream

import (
	"strings"
	"unicode"
)

const (
	thinkStart = "<think>"
	thinkEnd   = "</think>"
)

// thinking removes the reasoning that a server leaves at the beginning of the text, in <think> and </think>, as vLLM,
// SGLang, llama.cpp and Ollama do where they have no parser for a model's reasoning.
type thinking struct {
	state thinkingState
	held  string // of the text: white space and what may be a beginning of a tag
}

type thinkingState int

const (
	unsure   thinkingState = iota // the text may begin with reasoning
	inside                        // of the reasoning
	behind                        // after the reasoning: white space is left out
	answered                      // the text is the answer
)

// next adds a piece of the text, and returns the part of the answer that was not returned before.
func (t *thinking) next(piece string) string {
	t.held += piece
	if t.state == unsure {
		text := strings.TrimLeftFunc(t.held, unicode.IsSpace)
		switch {
		case strings.HasPrefix(text, thinkStart):
			t.state = inside
		case !strings.HasPrefix(thinkStart, text):
			t.state = answered
		}
	}
	if t.state == inside {
		_, rest, ended := strings.Cut(t.held, thinkEnd)
		if !ended {
			t.held = t.held[max(0, len(t.held)-len(thinkEnd)):]
			return ""
		}
		t.state, t.held = behind, rest
	}
	if t.state == behind {
		t.held = strings.TrimLeftFunc(t.held, unicode.IsSpace)
		if t.held != "" {
			t.state = answered
		}
	}
	if t.state != answered {
		return ""
	}
	return t.rest()
}

// rest returns the text that is still held when the text has ended.
func (t *thinking) rest() string {
	text := t.held
	t.held = ""
	if t.state == inside {
		return ""
	}
	return text
}
