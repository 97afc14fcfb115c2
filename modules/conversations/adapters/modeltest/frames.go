package modeltest

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// openAI returns the frames of a Chat Completion up to its last piece of text or arguments, and those that make it whole.
func openAI(s Script) (before, after []string) {
	frame := func(delta map[string]any, finish any, usage any) string {
		choices := []any{}
		if delta != nil {
			choices = append(choices, map[string]any{"index": 0, "delta": delta, "finish_reason": finish})
		}
		return "data: " + encode(map[string]any{
			"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": time.Now().Unix(), "model": "m-2026", "choices": choices, "usage": usage,
		})
	}
	before = append(before, frame(map[string]any{"role": "assistant", "content": ""}, nil, nil))
	for _, p := range s.Pieces {
		before = append(before, frame(map[string]any{"content": p}, nil, nil))
	}
	for i, c := range s.Calls {
		call := func(part map[string]any) string {
			part["index"] = i
			return frame(map[string]any{"tool_calls": []any{part}}, nil, nil)
		}
		before = append(append(before, after...), call(map[string]any{"id": c.id(i), "type": "function", "function": map[string]any{"name": c.Name, "arguments": ""}}))
		parts := c.parts()
		for _, part := range parts[:len(parts)-1] {
			before = append(before, call(map[string]any{"function": map[string]any{"arguments": part}}))
		}
		after = []string{call(map[string]any{"function": map[string]any{"arguments": parts[len(parts)-1]}})}
	}
	finish := map[bool]string{true: "tool_calls", false: "stop"}[len(s.Calls) > 0]
	after = append(after, frame(map[string]any{}, cmp.Or(s.Finish, finish), nil))
	if !s.Mute {
		after = append(after, frame(nil, nil, map[string]any{
			"prompt_tokens": s.Input, "completion_tokens": s.Output, "total_tokens": s.Input + s.Output,
			"prompt_tokens_details": map[string]any{"cached_tokens": s.Cached},
		}))
	}
	return before, append(after, "data: [DONE]")
}

// anthropic returns the frames of a Message up to its last piece of text or arguments, and those that make it whole.
func anthropic(s Script) (before, after []string) {
	frame := func(kind string, rest map[string]any) string {
		rest["type"] = kind
		return "event: " + kind + "\ndata: " + encode(rest)
	}
	before = append(before,
		frame("message_start", map[string]any{"message": map[string]any{
			"id": "msg_1", "type": "message", "role": "assistant", "content": []any{}, "model": "m-2026",
			"usage": map[string]any{"input_tokens": s.Input - s.Cached, "cache_read_input_tokens": s.Cached, "cache_creation_input_tokens": 0, "output_tokens": 1},
		}}),
		frame("content_block_start", map[string]any{"index": 0, "content_block": map[string]any{"type": "text", "text": ""}}),
		frame("ping", map[string]any{}))
	for _, p := range s.Pieces {
		before = append(before, frame("content_block_delta", map[string]any{"index": 0, "delta": map[string]any{"type": "text_delta", "text": p}}))
	}
	after = []string{frame("content_block_stop", map[string]any{"index": 0})}
	for i, c := range s.Calls {
		delta := func(part string) string {
			return frame("content_block_delta", map[string]any{"index": i + 1, "delta": map[string]any{"type": "input_json_delta", "partial_json": part}})
		}
		before = append(append(before, after...), frame("content_block_start", map[string]any{"index": i + 1, "content_block": map[string]any{
			"type": "tool_use", "id": c.id(i), "name": c.Name, "input": map[string]any{},
		}}), delta(""))
		parts := c.parts()
		for _, part := range parts[:len(parts)-1] {
			before = append(before, delta(part))
		}
		after = []string{delta(parts[len(parts)-1]), frame("content_block_stop", map[string]any{"index": i + 1})}
	}
	finish := map[bool]string{true: "tool_use", false: "end_turn"}[len(s.Calls) > 0]
	return before, append(after,
		frame("message_delta", map[string]any{
			"delta": map[string]any{"stop_reason": cmp.Or(s.Finish, finish)}, "usage": map[string]any{"output_tokens": s.Output},
		}),
		frame("message_stop", map[string]any{}))
}

func (c ScriptCall) id(at int) string { return cmp.Or(c.ID, fmt.Sprintf("call_%d", at+1)) }

// parts divides the arguments into a few parts, which are sent one after the other.
func (c ScriptCall) parts() (parts []string) {
	text := []rune(cmp.Or(c.Arguments, "{}"))
	for part := range slices.Chunk(text, max(1, (len(text)+2)/3)) {
		parts = append(parts, string(part))
	}
	return parts
}
