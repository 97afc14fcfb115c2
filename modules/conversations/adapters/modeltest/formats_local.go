package modeltest

import (
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// localFormats are those of servers that people run themselves.
func localFormats() map[string]Format {
	return map[string]Format{
		"vllm": {API: "openai", Frames: data(
			chunk(`{"role":"assistant","content":""}`, "null"), chunk(`{"reasoning":"Hm."}`, "null"), chunk(`{"content":"Hello there"}`, "null"),
			`{"id":"cmpl-1","object":"chat.completion.chunk","created":1763000000,"model":"m","choices":[{"index":0,"delta":{"content":""},"logprobs":null,"finish_reason":"stop","stop_reason":null,"token_ids":null}]}`,
			`{"id":"cmpl-1","object":"chat.completion.chunk","created":1763000000,"model":"m","choices":[],`+usage+`}`, done), Want: stopped(12, 0, 34)},
		"vllm-usage-with-every-chunk": {API: "openai", Frames: data(
			`{"id":"cmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}],"usage":{"prompt_tokens":12,"total_tokens":13,"completion_tokens":1}}`,
			`{"id":"cmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":" there"},"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"total_tokens":46,"completion_tokens":34}}`,
			`{"id":"cmpl-1","object":"chat.completion.chunk","choices":[],`+usage+`}`, done), Want: stopped(12, 0, 34)},
		"vllm-error": {API: "openai", Frames: data(chunk(`{"content":"Hello"}`, "null"),
			`{"error":{"message":"EngineCore encountered an issue.","type":"InternalServerError","param":null,"code":500}}`, done), Want: Want{Fails: true}},
		"vllm-error-old": {API: "openai", Frames: data(chunk(`{"content":"Hello"}`, "null"),
			`{"object":"error","message":"EngineDeadError","type":"InternalServerError","param":null,"code":500}`, done), Want: Want{Fails: true}},
		"vllm-no-reasoning-parser": {API: "openai", Frames: data(chunk(`{"role":"assistant","content":""}`, "null"),
			chunk(`{"content":"<thi"}`, "null"), chunk(`{"content":"nk>\nThe user"}`, "null"), chunk(`{"content":" greets me.\n</th"}`, "null"),
			chunk(`{"content":"ink>\n\n"}`, "null"), chunk(`{"content":"Hello"}`, "null"), chunk(`{"content":" there"}`, "null"), chunk(`{}`, `"stop"`), done),
			Want: Want{Text: "Hello there", Finish: domain.FinishStop}},
		"vllm-no-reasoning-parser-cut": {API: "openai", Frames: data(
			chunk(`{"content":"<think>\nThe user"}`, "null"), chunk(`{}`, `"length"`), `{"object":"chat.completion.chunk","choices":[],`+usage+`}`, done),
			Want: Want{Err: ports.ErrEmptyAnswer, Usage: []int{12, 0, 34}}},
		"llamacpp": {API: "openai", Frames: data(
			`{"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1763000000,"id":"chatcmpl-L","model":"m","system_fingerprint":"b6795","object":"chat.completion.chunk"}`,
			`{"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Hello there"}}],"created":1763000000,"id":"chatcmpl-L","model":"m","object":"chat.completion.chunk"}`,
			`{"choices":[{"finish_reason":"stop","index":0,"delta":{}}],"created":1763000000,"id":"chatcmpl-L","model":"m","object":"chat.completion.chunk"}`,
			`{"choices":[],"created":1763000000,"id":"chatcmpl-L","model":"m","object":"chat.completion.chunk",`+usage+`,"timings":{"prompt_n":12,"predicted_per_second":41.5}}`, done), Want: stopped(12, 0, 34)},
		"llamacpp-error": {API: "openai", Frames: data(chunk(`{"content":"Hello"}`, "null"),
			`{"error":{"code":500,"message":"Context size has been exceeded.","type":"server_error"}}`), Want: Want{Fails: true}},
		"llamacpp-error-old": {API: "openai", Frames: append(data(chunk(`{"content":"Hello"}`, "null")),
			"error: {\"code\":500,\"message\":\"slot unavailable\",\"type\":\"server_error\"}\n\n"), Want: Want{Fails: true}},
		"ollama": {API: "openai", Frames: data(
			`{"id":"chatcmpl-585","object":"chat.completion.chunk","created":1763000000,"model":"llama3.2","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":"Hello there"},"finish_reason":null}]}`,
			`{"id":"chatcmpl-585","object":"chat.completion.chunk","created":1763000000,"model":"llama3.2","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop"}]}`,
			`{"id":"chatcmpl-585","object":"chat.completion.chunk","created":1763000000,"model":"llama3.2","system_fingerprint":"fp_ollama","choices":[],`+usage+`}`, done), Want: stopped(12, 0, 34)},
	}
}
