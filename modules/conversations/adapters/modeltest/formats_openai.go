package modeltest

import (
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

const done = "[DONE]"

// openAIFormats are those of OpenAI and of Azure.
func openAIFormats() map[string]Format {
	const head = `{"id":"chatcmpl-B9","object":"chat.completion.chunk","created":1741569952,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_06737a9306",`
	const (
		role  = head + `"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}`
		hello = head + `"choices":[{"index":0,"delta":{"content":"Hello"},"logprobs":null,"finish_reason":null}],"usage":null}`
		there = head + `"choices":[{"index":0,"delta":{"content":" there"},"logprobs":null,"finish_reason":null}],"usage":null}`
		stop  = head + `"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}`
		usage = head + `"choices":[],"usage":{"prompt_tokens":1200,"completion_tokens":34,"total_tokens":1234,"prompt_tokens_details":{"cached_tokens":1000,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":20,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}`
		none  = head + `"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":64,"total_tokens":76,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":64}}}`
	)
	counts := []int{1200, 1000, 34}
	whole := Want{Text: "Hello there", Finish: domain.FinishStop, Usage: counts}
	filter := head + `"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"content_filter"}],"usage":null}`
	refuse := func(piece string) string {
		return head + `"choices":[{"index":0,"delta":{"refusal":"` + piece + `"},"logprobs":null,"finish_reason":null}],"usage":null}`
	}
	return map[string]Format{
		"openai": {API: "openai", Frames: data(role, hello, there, stop, usage, done), Want: whole},
		"openai-null-error": {API: "openai", Frames: data(
			`{"error":null,`+role[1:], `{"error":null,`+hello[1:], `{"error":"",`+there[1:], `{"error":{},`+stop[1:], `{"error":null,`+usage[1:], done), Want: whole},
		"openai-no-finish":        {API: "openai", Frames: data(role, hello, there, usage, done), Want: Want{Text: "Hello there", Usage: counts}},
		"openai-no-done":          {API: "openai", Frames: data(role, hello, there, stop, usage), Want: whole},
		"openai-open-after-usage": {API: "openai", Frames: data(role, hello, there, stop, usage), Open: true, Want: whole},
		"openai-open-no-usage":    {API: "openai", Frames: data(role, hello, there, stop), Open: true, Want: Want{Text: "Hello there", Finish: domain.FinishStop}},
		"openai-breaks-after-end": {API: "openai", Frames: data(role, hello, there, stop), Breaks: true, Want: Want{Text: "Hello there", Finish: domain.FinishStop}},
		"openai-done-alone":       {API: "openai", Frames: data(done), Want: Want{Fails: true}},
		"openai-error-mid-stream": {API: "openai", Frames: data(role, hello,
			`{"error":{"message":"The server had an error while processing your request. Sorry about that!","type":"server_error","param":null,"code":null}}`, done), Want: Want{Fails: true}},
		"openai-filtered":      {API: "openai", Frames: data(role, filter, none, done), Want: Want{Err: ports.ErrContentFiltered, Usage: []int{12, 0, 64}}},
		"openai-filtered-late": {API: "openai", Frames: data(role, hello, filter, usage, done), Want: Want{Text: "Hello", Finish: domain.FinishFilter, Usage: counts}},
		"openai-refusal": {API: "openai", Frames: data(role, refuse("I'm sorry, "), refuse("I can't help with that."), stop, none, done), Want: Want{
			Err: ports.ErrContentFiltered, Message: "I'm sorry, I can't help with that.", Usage: []int{12, 0, 64},
		}},
		"openai-refusal-late": {API: "openai", Frames: data(role, hello, refuse("I can't."), stop, usage, done), Want: Want{Text: "Hello", Finish: domain.FinishFilter, Usage: counts}},
		"openai-reasoning-only": {API: "openai", Frames: data(role,
			head+`"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}],"usage":null}`, none, done), Want: Want{Err: ports.ErrEmptyAnswer, Usage: []int{12, 0, 64}}},
		"openai-white-space": {API: "openai", Frames: data(role,
			head+`"choices":[{"index":0,"delta":{"content":"\n"},"finish_reason":null}]}`,
			head+`"choices":[{"index":0,"delta":{"content":" \u200b"},"finish_reason":null}]}`, stop, none, done), Want: Want{Err: ports.ErrEmptyAnswer, Usage: []int{12, 0, 64}}},
		"openai-white-space-first": {API: "openai", Frames: data(role,
			head+`"choices":[{"index":0,"delta":{"content":"\n\n"},"finish_reason":null}]}`, hello, stop, usage, done), Want: Want{Text: "\n\nHello", Finish: domain.FinishStop, Usage: counts}},
		"azure": {API: "openai", Frames: data(
			`{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"},"jailbreak":{"filtered":false,"detected":false}}}]}`,
			`{"choices":[{"content_filter_results":{},"delta":{"content":"","refusal":null,"role":"assistant"},"finish_reason":null,"index":0,"logprobs":null}],"created":1741569952,"id":"chatcmpl-A1","model":"gpt-4o-2024-11-20","object":"chat.completion.chunk","system_fingerprint":"fp_ee1d74bde0","usage":null}`,
			`{"choices":[{"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}},"delta":{"content":"Hello there"},"finish_reason":null,"index":0,"logprobs":null}],"created":1741569952,"id":"chatcmpl-A1","model":"gpt-4o-2024-11-20","object":"chat.completion.chunk","usage":null}`,
			`{"choices":[{"content_filter_offsets":{"check_offset":44,"start_offset":44,"end_offset":121},"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}},"finish_reason":null,"index":0}],"created":0,"id":"","model":"","object":""}`,
			`{"choices":[{"content_filter_results":{},"delta":{},"finish_reason":"stop","index":0,"logprobs":null}],"created":1741569952,"id":"chatcmpl-A1","model":"gpt-4o-2024-11-20","object":"chat.completion.chunk","usage":null}`,
			`{"choices":[],"created":1741569952,"id":"chatcmpl-A1","model":"gpt-4o-2024-11-20","object":"chat.completion.chunk","usage":{"completion_tokens":34,"completion_tokens_details":{"reasoning_tokens":0},"prompt_tokens":1200,"prompt_tokens_details":{"cached_tokens":1000},"total_tokens":1234}}`,
			done), Want: whole},
	}
}
