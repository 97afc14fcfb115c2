package domain

import "slices"

// Request is what the caller of a turn has sent for the model beside the message.
type Request struct {
	Instruction     string        `json:"instruction,omitempty"` // follows the bot's, and does not replace it
	Complete        bool          `json:"complete,omitempty"`    // History is the whole conversation; otherwise the thread is
	History         []PastMessage `json:"history,omitempty"`     // oldest first
	Temperature     *float64      `json:"temperature,omitempty"`
	MaxOutputTokens *int          `json:"max_output_tokens,omitempty"`
}

// PastMessage is an earlier message that a caller has sent, and that is in no thread.
type PastMessage struct {
	Role    Role   `json:"role"`
	Content string `json:"content"`
}

// The parameters of a request that the settings of a bot may allow in request_parameters.
const (
	ParameterTemperature     = "temperature"
	ParameterMaxOutputTokens = "max_output_tokens"
)

// Earlier returns the conversation before the message. It reports false where the thread has it.
func (r *Request) Earlier() (history []Message, ok bool) {
	if r == nil || !r.Complete {
		return nil, false
	}
	for _, m := range r.History {
		history = append(history, Message{Role: m.Role, Content: m.Content})
	}
	return history, true
}

// Instructed returns the version of a bot with the instruction of the request after its own.
func (r *Request) Instructed(p *Pinned) *Pinned {
	if r == nil || r.Instruction == "" || p == nil {
		return p
	}
	with := *p
	with.Instruction = r.Instruction
	if IsVisible(p.Instruction) {
		with.Instruction = p.Instruction + paragraph + r.Instruction
	}
	return &with
}

// With returns the choice with those parameters of a request that the settings of the bot allow. A limit of tokens is never raised.
func (c Choice) With(r *Request) Choice {
	if r == nil {
		return c
	}
	if r.Temperature != nil && slices.Contains(c.RequestParameters, ParameterTemperature) {
		c.Temperature = r.Temperature
	}
	lower := c.MaxOutputTokens == nil || r.MaxOutputTokens != nil && *r.MaxOutputTokens < *c.MaxOutputTokens
	if r.MaxOutputTokens != nil && lower && slices.Contains(c.RequestParameters, ParameterMaxOutputTokens) {
		c.MaxOutputTokens = r.MaxOutputTokens
	}
	return c
}
