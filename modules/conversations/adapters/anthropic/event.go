package anthropic

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"

	sdk "github.com/anthropics/anthropic-sdk-go"

	"github.com/parley/parley/modules/conversations/adapters/modelstream"
)

// event has the fields that are read of an event of a Message, or of a whole Message. Text is that of blocks of type
// text; thinking and calls of tools are blocks of their own.
type event struct {
	Type    string   `json:"type"`
	Index   *float64 `json:"index"` // of the block, in events of blocks
	Message struct {
		Usage usage `json:"usage"`
	} `json:"message"` // of message_start
	ContentBlock block `json:"content_block"` // of content_block_start
	Delta        struct {
		block
		PartialJSON string   `json:"partial_json"` // of input_json_delta
		Citation    location `json:"citation"`     // of citations_delta
		StopReason  string   `json:"stop_reason"`
	} `json:"delta"` // of content_block_delta and message_delta
	Usage usage `json:"usage"` // of message_delta, and of a whole answer

	Content    []block `json:"content"` // of a whole answer, as is the reason
	StopReason string  `json:"stop_reason"`
}

type block struct {
	Type      string     `json:"type"`
	Text      string     `json:"text"`
	Citations []location `json:"citations"` // of a whole answer

	ID    string          `json:"id"` // of tool_use, as are the following
	Name  string          `json:"name"`
	Input json.RawMessage `json:"input"` // of a whole answer; {} at the start of a block
}

// usage is in tokens. Tokens that were read from and written to the cache are sent beside the rest of the input.
type usage struct {
	Input     *float64 `json:"input_tokens"`
	CacheRead *float64 `json:"cache_read_input_tokens"`
	CacheMade *float64 `json:"cache_creation_input_tokens"`
	Output    *float64 `json:"output_tokens"`
}

// decoder reads the events of an answer.
type decoder struct {
	answer    *http.Response
	usage     usage     // so far
	citations citations // of the block that is read
	calling   bool      // that block is a call of a tool
}

func (d *decoder) decode(kind string, data []byte) (modelstream.Part, error) {
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		return modelstream.Part{}, errors.New("an event of the answer cannot be read")
	}
	if e.Type == "" {
		e.Type = kind
	}
	if kind == "error" {
		e.Type = kind
	}
	switch e.Type {
	case "error":
		err := &sdk.Error{StatusCode: d.answer.StatusCode, Request: d.answer.Request, Response: d.answer}
		_ = err.UnmarshalJSON(data) // the type, where it can be read
		return modelstream.Part{}, err
	case "message_start":
		return modelstream.Part{Usage: d.count(e.Message.Usage)}, nil
	case "content_block_start":
		d.citations.text(e.ContentBlock.Text)
		d.calling = e.ContentBlock.Type == toolUse
		return e.ContentBlock.part(e.index()), nil
	case "content_block_delta":
		if e.Delta.Type == "citations_delta" {
			d.citations.add(e.Delta.Citation)
			return modelstream.Part{}, nil
		}
		if e.Delta.Type == "input_json_delta" && d.calling {
			return modelstream.Part{Calls: []modelstream.CallPart{{Index: e.index(), Arguments: e.Delta.PartialJSON}}}, nil
		}
		d.citations.text(e.Delta.Text)
		return e.Delta.part(nil), nil
	case "content_block_stop":
		return modelstream.Part{Text: d.citations.markers()}, nil
	case "message_delta":
		return modelstream.Part{Reason: e.Delta.StopReason, Usage: d.count(e.Usage)}, nil
	case "message_stop":
		return modelstream.Part{Last: true}, nil
	case "message": // the server does not stream
		whole := modelstream.Part{Reason: e.StopReason, Usage: d.count(e.Usage), Last: true}
		for _, b := range e.Content {
			d.citations.text(b.Text)
			for _, l := range b.Citations {
				d.citations.add(l)
			}
			part := b.part(nil)
			whole.Text += part.Text + d.citations.markers()
			whole.Calls = append(whole.Calls, part.Calls...)
		}
		return whole, nil
	}
	return modelstream.Part{}, nil // ping, and what is new
}

// toolUse is the type of the block of a call. Blocks of tools that the provider calls by itself have other types.
const toolUse = "tool_use"

// index returns the index of the block; nil: not sent.
func (e event) index() *int {
	if e.Index == nil || *e.Index < 0 || *e.Index > math.MaxInt32 {
		return nil
	}
	return new(int(*e.Index))
}

// part returns what a block, or a delta of one, adds to the answer. Index is that of the block, where it is sent.
func (b block) part(index *int) modelstream.Part {
	if b.Type == toolUse {
		return modelstream.Part{Calls: []modelstream.CallPart{{Index: index, Fresh: true, ID: b.ID, Name: b.Name, Arguments: b.arguments()}}}
	}
	if b.Type != "" && b.Type != "text" && b.Type != "text_delta" {
		return modelstream.Part{Reasoning: true}
	}
	return modelstream.Part{Text: b.Text}
}

// arguments returns the input of a call; nothing for an empty one, after which parts of the input may come.
func (b block) arguments() string {
	switch text := string(b.Input); strings.Join(strings.Fields(text), "") {
	case "", "null", "{}":
		return ""
	default:
		return text
	}
}

// count adds counts to those that were sent before. Counts only grow; an event leaves out counts that it does not have,
// or sends 0. The input count is set where any part of it is.
func (d *decoder) count(u usage) modelstream.Usage {
	for _, n := range []struct{ all, sent **float64 }{
		{&d.usage.Input, &u.Input}, {&d.usage.CacheRead, &u.CacheRead}, {&d.usage.CacheMade, &u.CacheMade}, {&d.usage.Output, &u.Output},
	} {
		if sent := *n.sent; sent != nil && (*n.all == nil || **n.all < *sent) && *sent <= maxTokens {
			*n.all = sent
		}
	}
	total := modelstream.Usage{Output: tokens(d.usage.Output)}
	if d.usage.Input != nil || d.usage.CacheRead != nil || d.usage.CacheMade != nil {
		total.Cached = cmp.Or(tokens(d.usage.CacheRead), new(0))
		total.Input = new(*cmp.Or(tokens(d.usage.Input), new(0)) + *total.Cached + *cmp.Or(tokens(d.usage.CacheMade), new(0)))
	}
	return total
}

// maxTokens is far more than an answer can have, and small enough that sums of it do not overflow.
const maxTokens = 1 << 40

func tokens(n *float64) *int {
	if n == nil {
		return nil
	}
	return new(int(max(*n, 0)))
}
