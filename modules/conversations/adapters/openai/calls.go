package openai

import (
	"encoding/json"
	"math"

	"github.com/parley/parley/modules/conversations/adapters/modelstream"
)

// call is a part of a call of a tool, or a whole one.
type call struct {
	Index    *float64 `json:"index"`
	ID       flexible `json:"id"`
	Function called   `json:"function"`
}

type called struct {
	Name      flexible `json:"name"`
	Arguments flexible `json:"arguments"`
}

// flexible is a text, or a JSON value of another kind, which stands for its own text. Some servers send arguments as an object.
type flexible string

const none = "null"

// UnmarshalJSON reads a text of any form; null is none.
func (f *flexible) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		return json.Unmarshal(raw, (*string)(f))
	}
	if string(raw) != none {
		*f = flexible(raw)
	}
	return nil
}

// calls returns the parts of calls in a message.
func (m message) calls() (parts []modelstream.CallPart) {
	all := m.ToolCalls
	if m.FunctionCall != nil && len(all) == 0 {
		all = []call{{Function: *m.FunctionCall}}
	}
	begun := map[int]bool{}
	for _, c := range all {
		if c.ID == none { // Mistral has sent it as a text
			c.ID = ""
		}
		p := modelstream.CallPart{ID: string(c.ID), Name: string(c.Function.Name), Arguments: string(c.Function.Arguments)}
		at := -1
		if c.Index != nil && *c.Index >= 0 && *c.Index < math.MaxInt32 {
			at = int(*c.Index)
			p.Index = &at
		}
		p.Fresh = begun[at] && p.Name != ""
		begun[at] = true
		parts = append(parts, p)
	}
	return parts
}
