package modeltest

import (
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// usage is what many servers send.
const usage = `"usage":{"prompt_tokens":12,"total_tokens":46,"completion_tokens":34}`

// stopped is what has to come of a whole greeting.
func stopped(usage ...int) Want {
	return Want{Text: "Hello there", Finish: domain.FinishStop, Usage: usage}
}

// chunk is an event with one choice, as many servers send it.
func chunk(delta, finish string) string {
	return `{"id":"cmpl-1","object":"chat.completion.chunk","created":1763000000,"model":"m","choices":[{"index":0,"delta":` + delta + `,"logprobs":null,"finish_reason":` + finish + `}]}`
}

// serverFormats are those of other providers of Chat Completions.
func serverFormats() map[string]Format {
	return map[string]Format{
		"mistral-reasoning": {API: "openai", Frames: data(
			`{"id":"9f","object":"chat.completion.chunk","created":1763000000,"model":"magistral-medium-2509","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`,
			`{"id":"9f","object":"chat.completion.chunk","created":1763000000,"model":"magistral-medium-2509","choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"The user greets me."}],"closed":true}]},"finish_reason":null}]}`,
			`{"id":"9f","object":"chat.completion.chunk","created":1763000000,"model":"magistral-medium-2509","choices":[{"index":0,"delta":{"content":[{"type":"text","text":"Hello"},{"type":"reference","reference_ids":[1]}]},"finish_reason":null}]}`,
			`{"id":"9f","object":"chat.completion.chunk","created":1763000000,"model":"magistral-medium-2509","choices":[{"index":0,"delta":{"content":" there"},"finish_reason":null}]}`,
			`{"id":"9f","object":"chat.completion.chunk","created":1763000000,"model":"magistral-medium-2509","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],`+usage+`}`, done), Want: stopped(12, 0, 34)},
		"mistral-reasoning-only": {API: "openai", Frames: data(
			`{"id":"9f","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"The user"}]}]},"finish_reason":null}]}`,
			`{"id":"9f","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":""},"finish_reason":"length"}],`+usage+`}`, done), Want: Want{Err: ports.ErrEmptyAnswer, Usage: []int{12, 0, 34}}},
		"groq": {API: "openai", Frames: data(
			`{"id":"chatcmpl-e7","object":"chat.completion.chunk","created":1745935006,"model":"llama-3.3-70b-versatile","system_fingerprint":"fp_3f","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"x_groq":{"id":"req_01jt"}}`,
			chunk(`{"content":"Hello there"}`, "null"),
			`{"id":"chatcmpl-e7","object":"chat.completion.chunk","created":1745935006,"model":"llama-3.3-70b-versatile","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"x_groq":{"id":"req_01jt","usage":{"queue_time":0.07535312,"prompt_tokens":1200,"prompt_time":0.006,"completion_tokens":34,"completion_time":0.022,"total_tokens":1234,"total_time":0.028,"prompt_tokens_details":{"cached_tokens":1000}}}}`,
			done), Want: stopped(1200, 1000, 34)},
		"groq-stopped-early": {API: "openai", Frames: data(
			chunk(`{"content":"Hello"}`, "null"),
			`{"id":"chatcmpl-e7","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":null}],"x_groq":{"id":"req_01jt","error":"over_capacity"}}`, done), Want: Want{Fails: true}},
		"deepseek": {API: "openai", Frames: append([]string{": keep-alive\n\n", ": keep-alive\n\n"}, data(
			chunk(`{"role":"assistant","content":null,"reasoning_content":""}`, "null"),
			chunk(`{"content":null,"reasoning_content":"The user greets me."}`, "null"),
			chunk(`{"content":"Hello there","reasoning_content":null}`, "null"),
			`{"id":"cmpl-1","object":"chat.completion.chunk","created":1763000000,"model":"m","choices":[{"index":0,"delta":{"content":"","reasoning_content":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1200,"completion_tokens":34,"total_tokens":1234,"completion_tokens_details":{"reasoning_tokens":20},"prompt_cache_hit_tokens":1000,"prompt_cache_miss_tokens":200}}`,
			done)...), Want: stopped(1200, 1000, 34)},
		"openrouter": {API: "openai", Frames: append([]string{": OPENROUTER PROCESSING\n\n"}, data(
			chunk(`{"role":"assistant","content":"","reasoning":"Hm.","reasoning_details":[{"type":"reasoning.text","text":"Hm."}]}`, "null"),
			chunk(`{"role":"assistant","content":"Hello there"}`, "null"), chunk(`{"role":"assistant","content":""}`, `"stop"`),
			`{"id":"gen-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null,"native_finish_reason":null}],"usage":{"prompt_tokens":1200,"completion_tokens":34,"total_tokens":1234,"cost":0.00014,"prompt_tokens_details":{"cached_tokens":1000}}}`,
			done)...), Want: stopped(1200, 1000, 34)},
		"openrouter-error": {API: "openai", Frames: data(chunk(`{"content":"Hello"}`, "null"),
			`{"id":"gen-1","object":"chat.completion.chunk","error":{"code":"server_error","message":"Provider disconnected unexpectedly"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}`), Want: Want{Fails: true}},
		"perplexity": {API: "openai", Frames: data(
			`{"id":"p","object":"chat.completion","choices":[{"index":0,"finish_reason":null,"message":{"role":"assistant","content":"Hello"},"delta":{"role":"assistant","content":"Hello"}}],"usage":{"prompt_tokens":12,"completion_tokens":1,"total_tokens":13}}`,
			`{"id":"p","object":"chat.completion","choices":[{"index":0,"finish_reason":null,"message":{"role":"assistant","content":"Hello there"},"delta":{"role":"assistant","content":" there"}}],"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46}}`,
			`{"id":"p","object":"chat.completion","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hello there"},"delta":{"role":"assistant","content":""}}],"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46}}`,
			done), Want: stopped(12, 0, 34)},
		"gemini-stop-with-every-chunk": {API: "openai", Frames: data(
			chunk(`{"reasoning_content":"Hm."}`, `"stop"`), chunk(`{"content":"Hello"}`, `"stop"`),
			`{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":" there"},"finish_reason":"stop"}],`+usage+`}`, done), Want: stopped(12, 0, 34)},
		"moonshot": {API: "openai", Frames: data(chunk(`{"content":"Hello there"}`, "null"),
			`{"id":"cmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":1200,"completion_tokens":34,"total_tokens":1234,"cached_tokens":1000}}]}`, done), Want: stopped(1200, 1000, 34)},
	}
}
