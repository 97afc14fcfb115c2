package modeltest

import (
	"fmt"
	"slices"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

const (
	anthropicStart     = `{"type":"message_start","message":{"id":"msg_01","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}}}`
	anthropicTextStart = `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`
	anthropicHello     = `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}`
	anthropicThere     = `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" there"}}`
	anthropicTextStop  = `{"type":"content_block_stop","index":0}`
	anthropicStop      = `{"type":"message_stop"}`
)

func anthropicEnd(reason string) string {
	return `{"type":"message_delta","delta":{"stop_reason":"` + reason + `","stop_sequence":null},"usage":{"output_tokens":34}}`
}

// anthropicGreeting is a plain answer.
func anthropicGreeting() []string {
	return events("message_start", anthropicStart, "content_block_start", anthropicTextStart, "ping", `{"type": "ping"}`,
		"content_block_delta", anthropicHello, "ping", `{"type": "ping"}`, "content_block_delta", anthropicThere,
		"content_block_stop", anthropicTextStop, "message_delta", anthropicEnd("end_turn"), "message_stop", anthropicStop)
}

// cited is a block of text with citations, each the index of a search result and the blocks that it refers to; a negative index is
// none.
func cited(text string, places ...int) []string {
	frames := events("content_block_start", anthropicTextStart,
		"content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"`+text+`"}}`)
	for ; len(places) > 0 && places[0] >= 0; places = places[3:] {
		frames = append(frames, events("content_block_delta", fmt.Sprintf(`{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":`+
			`{"type":"search_result_location","cited_text":"x","search_result_index":%d,"source":"source-1","start_block_index":%d,"end_block_index":%d,"title":"x"}}}`,
			places[0], places[1], places[2]))...)
	}
	return append(frames, events("content_block_stop", anthropicTextStop)...)
}

// anthropicFormats are those of Anthropic, and of servers that speak its Messages.
func anthropicFormats() map[string]Format {
	text := events("message_start", anthropicStart, "content_block_start", anthropicTextStart,
		"content_block_delta", anthropicHello, "content_block_delta", anthropicThere, "content_block_stop", anthropicTextStop)
	start := events("message_start", anthropicStart)
	stop := events("message_stop", anthropicStop)
	after := func(before []string, pairs ...string) []string { return slices.Concat(before, events(pairs...)) }
	ends := func(reason string) []string {
		return slices.Concat(text, events("message_delta", anthropicEnd(reason)), stop)
	}
	want := Want{Text: "Hello there", Finish: domain.FinishStop, Usage: []int{12, 0, 34}}
	finished := func(reason domain.FinishReason) Want {
		return Want{Text: "Hello there", Finish: reason, Usage: []int{12, 0, 34}}
	}
	thinking := []string{
		"content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`,
		"content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"The user greets me."}}`,
		"content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQBCgIYAhIM"}}`,
		"content_block_stop", `{"type":"content_block_stop","index":0}`,
	}
	return map[string]Format{
		"anthropic":          {API: "anthropic", Frames: anthropicGreeting(), Want: want},
		"anthropic-thinking": {API: "anthropic", Frames: slices.Concat(start, events(thinking...), text[1:], events("message_delta", anthropicEnd("end_turn")), stop), Want: want},
		"anthropic-thinking-only": {API: "anthropic", Frames: slices.Concat(start, events(thinking...), events("message_delta", anthropicEnd("max_tokens")), stop),
			Want: Want{Err: ports.ErrEmptyAnswer, Usage: []int{12, 0, 34}}},
		"anthropic-cached": {API: "anthropic", Frames: slices.Concat(
			events("message_start", `{"type":"message_start","message":{"id":"msg_01","type":"message","role":"assistant","content":[],"usage":{"input_tokens":150,"cache_creation_input_tokens":50,"cache_read_input_tokens":1000,"output_tokens":1}}}`),
			text[1:], events("message_delta", anthropicEnd("end_turn")), stop), Want: Want{Text: "Hello there", Finish: domain.FinishStop, Usage: []int{1200, 1000, 34}}},
		"anthropic-cached-alone": {API: "anthropic", Frames: slices.Concat(
			events("message_start", `{"type":"message_start","message":{"id":"msg_01","type":"message","role":"assistant","content":[],"usage":{"input_tokens":0,"output_tokens":0}}}`), text[1:],
			events("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":900,"output_tokens":34}}`), stop),
			Want: Want{Text: "Hello there", Finish: domain.FinishStop, Usage: []int{900, 900, 34}}},
		"anthropic-usage-0-at-end": {API: "anthropic", Frames: slices.Concat(text,
			events("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":0,"output_tokens":34}}`), stop), Want: want},
		"anthropic-second-delta": {API: "anthropic", Frames: after(text, "message_delta", `{"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"output_tokens":30}}`,
			"message_delta", `{"type":"message_delta","delta":{"stop_reason":null},"usage":{"output_tokens":34}}`, "message_stop", anthropicStop), Want: finished(domain.FinishLength)},
		"anthropic-text-in-start": {API: "anthropic", Frames: after(start,
			"content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Hello"}}`, "content_block_delta", anthropicThere,
			"content_block_stop", anthropicTextStop, "message_delta", anthropicEnd("end_turn"), "message_stop", anthropicStop), Want: want},
		"anthropic-citations": {API: "anthropic", Frames: slices.Concat(start, cited("Gift cards never expire", 1, 1, 2), cited(", and", -1, 0, 0),
			cited(" refunds take five days.", 0, 0, 1, 0, 1, 2, 1, 0, 1), events("message_delta", anthropicEnd("end_turn")), stop),
			Want: Want{Text: "Gift cards never expire, and refunds take five days.", Finish: domain.FinishStop, Usage: []int{12, 0, 34}}},
		"anthropic-no-stop-reason": {API: "anthropic", Frames: slices.Concat(text, stop), Want: Want{Text: "Hello there", Usage: []int{12, 0, 1}}},
		"anthropic-no-stop":        {API: "anthropic", Frames: ends("end_turn")[:len(text)+1], Want: want},
		"anthropic-open":           {API: "anthropic", Frames: ends("end_turn")[:len(text)+1], Open: true, Want: want},
		"anthropic-broken-off":     {API: "anthropic", Frames: text, Want: Want{Fails: true, Usage: []int{12, 0, 1}}},
		"anthropic-max-tokens":     {API: "anthropic", Frames: ends("max_tokens"), Want: finished(domain.FinishLength)},
		"anthropic-window":         {API: "anthropic", Frames: ends("model_context_window_exceeded"), Want: finished(domain.FinishLength)},
		"anthropic-pause":          {API: "anthropic", Frames: ends("pause_turn"), Want: finished(domain.FinishLength)},
		"anthropic-stop-sequence":  {API: "anthropic", Frames: ends("stop_sequence"), Want: finished(domain.FinishStop)},
		"anthropic-tool-use":       {API: "anthropic", Frames: ends("tool_use"), Want: finished(domain.FinishStop)},
		"anthropic-something-new":  {API: "anthropic", Frames: ends("something_new"), Want: finished(domain.FinishLength)},
		"anthropic-refusal-late":   {API: "anthropic", Frames: ends("refusal"), Want: finished(domain.FinishFilter)},
		"anthropic-refusal": {API: "anthropic", Frames: after(start, "message_delta", anthropicEnd("refusal"), "message_stop", anthropicStop),
			Want: Want{Err: ports.ErrContentFiltered, Usage: []int{12, 0, 34}}},
		"anthropic-overloaded-mid-stream": {API: "anthropic", Frames: after(text, "error", `{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}`), Want: Want{Fails: true, Usage: []int{12, 0, 1}}},
	}
}
