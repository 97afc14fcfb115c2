package domain

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// OfferedTool is a tool that a model may call.
type OfferedTool struct {
	Name, Description string
	Schema            json.RawMessage // of the arguments, JSON Schema 2020-12
}

// The limits of what a model may send in one answer.
const (
	MaxCalls     = 64       // in a step
	MaxArguments = 64 << 10 // bytes of the arguments of a call
)

// ModelCall is the call of a tool that a model asks for.
type ModelCall struct {
	ID        string // the provider's, which the result refers to; it is unique in its step
	Name      string
	Arguments json.RawMessage // an object; the text that the model has sent where that is none, as a JSON string
}

// ArgumentsOf returns the arguments of a call from the text that a model has sent for them: the object, or the text as a JSON
// string where it is not one object. No text stands for no arguments. What Postgres cannot store in JSON, which is the character
// 0 and half a surrogate pair, is removed.
func ArgumentsOf(text string) json.RawMessage {
	text = strings.ToValidUTF8(strings.TrimSpace(text), "\uFFFD")
	if text == "" {
		return json.RawMessage("{}")
	}
	object, err := readObject(text)
	if err != nil {
		return encode(strings.ReplaceAll(text, "\x00", ""))
	}
	if strings.Contains(text, `\u`) {
		return encode(object) // with the characters in place of their escapes
	}
	return json.RawMessage(text)
}

// Valid reports whether the arguments are an object.
func (c ModelCall) Valid() bool { return len(c.Arguments) > 0 && c.Arguments[0] == '{' }

var errNoObject = errors.New("not one JSON object that can be stored")

// maxDepth is how deep a value in the arguments of a call may be nested.
const maxDepth = 100

// readObject reads a text that is one JSON object. Numbers stay as they are written.
func readObject(text string) (object map[string]any, err error) {
	in := json.NewDecoder(strings.NewReader(text))
	in.UseNumber()
	if err := in.Decode(&object); err != nil {
		return nil, err
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) || object == nil {
		return nil, errNoObject
	}
	stored, ok := storableValue(object, maxDepth)
	if !ok {
		return nil, errNoObject
	}
	object, _ = stored.(map[string]any)
	return object, nil
}

// storableValue returns a value without the character 0. It reports false for one that is nested too deep, or has a number out of
// all range.
func storableValue(v any, depth int) (stored any, ok bool) {
	if depth == 0 {
		return nil, false
	}
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "\x00", ""), true
	case json.Number:
		_, err := v.Float64()
		return v, err == nil
	case []any:
		for i := range v {
			if v[i], ok = storableValue(v[i], depth-1); !ok {
				return nil, false
			}
		}
	case map[string]any:
		all := make(map[string]any, len(v))
		for name, value := range v {
			if all[strings.ReplaceAll(name, "\x00", "")], ok = storableValue(value, depth-1); !ok {
				return nil, false
			}
		}
		return all, true
	}
	return v, true
}

// encode returns a value in JSON, without escapes that only HTML needs.
func encode(v any) json.RawMessage {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	_ = out.Encode(v) // texts, numbers and what is made of them can be encoded
	return bytes.TrimSpace(b.Bytes())
}

// ToolResult is what a model is given of the result of a call.
type ToolResult struct {
	Text   string
	Failed bool
}

// Step is a part of an answer in which the model has called tools.
type Step struct {
	Text    string // that the model said before the calls; may be empty
	Calls   []ModelCall
	Results []ToolResult // of the calls, in their order
	// Correction is said to the model after a step without calls, whose text is not what was wanted; empty for other steps.
	Correction string
}

// StepBreak separates what a model says before calls of tools from what it says after them, in the content of its answer.
const StepBreak = "\n\n"

// After returns the message with the steps before it. What was said in them is the beginning of its content, and is in the steps only; it
// stays in the content where that has changed it, as citations do.
func (m Message) After(steps []Step) Message {
	rest := m.Content
	for _, s := range steps {
		if s.Text == "" {
			continue
		}
		after, ok := strings.CutPrefix(rest, s.Text)
		if !ok {
			for i := range steps {
				steps[i].Text = ""
			}
			m.Steps = steps
			return m
		}
		rest = strings.TrimPrefix(after, StepBreak)
	}
	m.Content, m.Steps = rest, steps
	return m
}

// ToolChoice is whether a model may, must or must not call tools.
type ToolChoice string

// The choices. Another value is the name of the tool that must be called.
const (
	ToolsAuto     ToolChoice = "auto" // also the empty ToolChoice
	ToolsRequired ToolChoice = "required"
	ToolsNone     ToolChoice = "none"
)
