package modeltest

import (
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// endingFormats are the reasons that servers of Chat Completions give for the end of an answer.
func endingFormats() map[string]Format {
	ends := func(reason string, want Want) Format {
		if !want.Fails {
			want.Text = "Hello there"
		}
		return Format{API: "openai", Frames: data(
			`{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}`,
			`{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":" there"},"finish_reason":""}]}`,
			`{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"`+reason+`"}]}`, done), Want: want}
	}
	all := map[string]Format{
		"zhipu-sensitive": {API: "openai", Frames: data(
			`{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"sensitive"}],"usage":{"prompt_tokens":12,"completion_tokens":0}}`, done),
			Want: Want{Err: ports.ErrContentFiltered, Usage: []int{12, 0, 0}}},
		"vllm-abort-at-once": {API: "openai", Frames: data(
			`{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"abort"}]}`, done), Want: Want{Fails: true}},
	}
	for reason, want := range map[string]Want{
		"stop": {Finish: domain.FinishStop}, "eos_token": {Finish: domain.FinishStop}, "stop_sequence": {Finish: domain.FinishStop},
		"eos": {Finish: domain.FinishStop}, "COMPLETE": {Finish: domain.FinishStop}, "STOP": {Finish: domain.FinishStop}, "tool_calls": {Finish: domain.FinishStop},
		"length": {Finish: domain.FinishLength}, "model_length": {Finish: domain.FinishLength}, "max_tokens": {Finish: domain.FinishLength},
		"content_filter": {Finish: domain.FinishFilter}, "sensitive": {Finish: domain.FinishFilter},
		"error": {Fails: true}, "abort": {Fails: true}, "insufficient_system_resource": {Fails: true}, "network_error": {Fails: true},
		"something_new": {Finish: domain.FinishLength}, "null": {},
	} {
		all["finish-"+reason] = ends(reason, want)
	}
	return all
}
