package modeltest

import (
	"slices"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// calls is what has to come of an answer that calls tools, each as "ID NAME ARGUMENTS". Where the server sends no usage, the tokens of
// the calls are an estimate.
func calls(text string, usage []int, calls ...string) Want {
	return Want{Text: text, Finish: domain.FinishTools, Usage: usage, Calls: calls}
}

// toolFormats are calls of tools by OpenAI and by servers of Chat Completions of its kind, which stream the arguments in parts.
func toolFormats() map[string]Format {
	const head = `{"id":"chatcmpl-Bd","object":"chat.completion.chunk","created":1748496646,"model":"gpt-4.1-nano-2025-04-14","service_tier":"default","system_fingerprint":"fp_38343a2f8f",`
	delta := func(delta, finish string) string {
		return head + `"choices":[{"index":0,"delta":` + delta + `,"logprobs":null,"finish_reason":` + finish + `}],"usage":null}`
	}
	const (
		total  = head + `"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}`
		paris  = `call_PieqNSej6kM9hgYbcQdbZSaC get_weather {"city":"Paris"}`
		oslo   = `call_DdmO9pD3xa9XTPNJ32zg2hcA get_weather {"city":"Oslo"}`
		filter = `{"hate":{"filtered":false,"severity":"safe"}}`
	)
	role := delta(`{"role":"assistant","content":null,"refusal":null}`, "null")
	first := []string{
		delta(`{"tool_calls":[{"index":0,"id":"call_PieqNSej6kM9hgYbcQdbZSaC","type":"function","function":{"name":"get_weather","arguments":""}}]}`, "null"),
		delta(`{"tool_calls":[{"index":0,"function":{"arguments":"{\""}}]}`, "null"), delta(`{"tool_calls":[{"index":0,"function":{"arguments":"city"}}]}`, "null"),
		delta(`{"tool_calls":[{"index":0,"function":{"arguments":"\":\"Paris"}}]}`, "null"), delta(`{"tool_calls":[{"index":0,"function":{"arguments":"\"}"}}]}`, "null"),
	}
	second := []string{
		delta(`{"tool_calls":[{"index":1,"id":"call_DdmO9pD3xa9XTPNJ32zg2hcA","type":"function","function":{"name":"get_weather","arguments":""}}]}`, "null"),
		delta(`{"tool_calls":[{"index":1,"function":{"arguments":"{\"city\""}}]}`, "null"), delta(`{"tool_calls":[{"index":1,"function":{"arguments":":\"Oslo\"}"}}]}`, "null"),
	}
	ends := func(reason string) []string { return []string{delta(`{}`, `"`+reason+`"`), total, done} }
	stream := func(parts ...[]string) []string { return data(slices.Concat(parts...)...) }
	counts := []int{12, 0, 34}
	return map[string]Format{
		"openai-tools":       {API: "openai", Frames: stream([]string{role}, first, second, ends("tool_calls")), Want: calls("", counts, paris, oslo)},
		"openai-tools-mixed": {API: "openai", Frames: stream([]string{role}, first[:1], second[:2], first[1:], second[2:], ends("tool_calls")), Want: calls("", counts, paris, oslo)},
		"openai-tools-text": {API: "openai", Frames: stream([]string{role, delta(`{"content":"One "}`, "null"), delta(`{"content":"moment."}`, "null")}, first, ends("tool_calls")),
			Want: calls("One moment.", counts, paris)},
		"openai-tools-done-alone": {API: "openai", Frames: stream([]string{role}, first, []string{done}), Want: calls("", []int{0, 0, 9}, paris)},
		"openai-tools-cut":        {API: "openai", Frames: stream([]string{role}, first[:4], ends("length")), Want: Want{Err: ports.ErrToolCallCut, Usage: counts}},
		"openai-tools-cut-second": {API: "openai", Frames: stream([]string{role}, first, second[:1], ends("length")), Want: Want{Err: ports.ErrToolCallCut, Usage: counts}},
		"openai-tools-filtered":   {API: "openai", Frames: stream([]string{role}, first, ends("content_filter")), Want: Want{Err: ports.ErrContentFiltered, Usage: counts}},
		"openai-tools-broken-off": {API: "openai", Frames: stream([]string{role}, first), Breaks: true, Want: Want{Fails: true, Usage: []int{0, 0, 9}}},
		"openai-tools-not-json": {API: "openai", Frames: stream([]string{role, delta(`{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"get_weather","arguments":"{city: Paris}"}}]}`, "null")}, ends("tool_calls")),
			Want: calls("", counts, `call_1 get_weather "{city: Paris}"`)},
		"openai-tools-whole": {API: "openai", Frames: []string{`{"id":"chatcmpl-Bc","object":"chat.completion","created":1748496646,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":null,"annotations":[],` +
			`"tool_calls":[{"id":"call_PieqNSej6kM9hgYbcQdbZSaC","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Paris\"}"}},{"id":"call_DdmO9pD3xa9XTPNJ32zg2hcA","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Oslo\"}"}}]},` +
			`"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46,"prompt_tokens_details":{"cached_tokens":0}}}`}, Want: calls("", counts, paris, oslo)},
		"openai-function-call": {API: "openai", Frames: stream([]string{
			delta(`{"role":"assistant","content":null,"function_call":{"name":"get_weather","arguments":""}}`, "null"),
			delta(`{"function_call":{"arguments":"{\"city\":"}}`, "null"), delta(`{"function_call":{"arguments":"\"Paris\"}"}}`, "null"),
		}, ends("function_call")), Want: calls("", counts, `call_1 get_weather {"city":"Paris"}`)},
		"azure-tools": {API: "openai", Frames: data(
			`{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":`+filter+`}]}`,
			`{"choices":[{"content_filter_results":{},"delta":{"content":null,"refusal":null,"role":"assistant","tool_calls":[{"function":{"arguments":"","name":"get_weather"},"id":"call_PieqNSej6kM9hgYbcQdbZSaC","index":0,"type":"function"}]},"finish_reason":null,"index":0,"logprobs":null}],"created":1741569952,"id":"chatcmpl-A1","model":"gpt-4o-2024-11-20","object":"chat.completion.chunk","usage":null}`,
			`{"choices":[{"content_filter_results":{},"delta":{"tool_calls":[{"function":{"arguments":"{\"city\":\"Paris\"}"},"index":0}]},"finish_reason":null,"index":0,"logprobs":null}],"created":1741569952,"id":"chatcmpl-A1","model":"gpt-4o-2024-11-20","object":"chat.completion.chunk","usage":null}`,
			`{"choices":[{"content_filter_results":{},"delta":{},"finish_reason":"tool_calls","index":0,"logprobs":null}],"created":1741569952,"id":"chatcmpl-A1","model":"gpt-4o-2024-11-20","object":"chat.completion.chunk","usage":null}`,
			`{"choices":[],"created":1741569952,"id":"chatcmpl-A1","model":"gpt-4o-2024-11-20","object":"chat.completion.chunk",`+usage+`}`, done), Want: calls("", counts, paris)},
	}
}

// serverToolFormats are calls of tools by other servers of Chat Completions.
func serverToolFormats() map[string]Format {
	const (
		total = `{"id":"cmpl-1","object":"chat.completion.chunk","created":1763000000,"model":"m","choices":[],` + usage + `}`
		paris = ` get_weather {"city": "Paris"}`
		oslo  = ` get_weather {"city": "Oslo"}`
	)
	counts := []int{12, 0, 34}
	call := func(rest, arguments string) string {
		return `{"tool_calls":[{` + rest + `"function":{"name":"get_weather","arguments":` + arguments + `}}]}`
	}
	return map[string]Format{
		"vllm-tools": {API: "openai", Frames: data(chunk(`{"role":"assistant","content":""}`, "null"),
			chunk(`{"tool_calls":[{"id":"chatcmpl-tool-ae8ab8e6","type":"function","index":0,"function":{"name":"get_weather"}}]}`, "null"),
			chunk(`{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\": \""}}]}`, "null"), chunk(`{"tool_calls":[{"index":0,"function":{"arguments":"Paris\"}"}}]}`, "null"),
			chunk(`{"tool_calls":[{"id":"chatcmpl-tool-b17c0d52","type":"function","index":1,"function":{"name":"get_weather"}}]}`, "null"),
			chunk(`{"tool_calls":[{"index":1,"function":{"arguments":"{\"city\": \"Oslo\"}"}}]}`, "null"),
			`{"id":"cmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":""},"logprobs":null,"finish_reason":"tool_calls","stop_reason":null}]}`, total, done),
			Want: calls("", counts, "chatcmpl-tool-ae8ab8e6"+paris, "chatcmpl-tool-b17c0d52"+oslo)},
		"vllm-tools-named": {API: "openai", Frames: data(chunk(`{"role":"assistant","content":""}`, "null"),
			chunk(call(`"index":0,`, `"{\"city\""`), "null"), chunk(call(`"index":0,`, `": \"Paris\""`), "null"), chunk(call(`"index":0,`, `"}"`), "null"), chunk(call(`"index":0,`, `""`), "null"),
			chunk(`{"content":""}`, `"stop"`), total, done), Want: calls("", counts, "call_1"+paris)},
		"sglang-tools": {API: "openai", Frames: data(
			chunk(`{"role":null,"content":null,"reasoning_content":null,"tool_calls":[{"id":"call_26cf6ad0","index":0,"type":"function","function":{"name":"get_weather","arguments":""}}]}`, "null"),
			chunk(`{"role":null,"content":null,"tool_calls":[{"id":null,"index":0,"type":"function","function":{"name":null,"arguments":"{\"city\": \"Par"}}]}`, "null"),
			chunk(`{"role":null,"content":null,"tool_calls":[{"id":null,"index":0,"type":"function","function":{"name":null,"arguments":"is\"}"}}]}`, "null"),
			chunk(`{"role":null,"content":null,"tool_calls":null}`, `"tool_calls"`), total, done), Want: calls("", counts, "call_26cf6ad0"+paris)},
		"llamacpp-tools": {API: "openai", Frames: data(
			chunk(`{"role":"assistant","content":null}`, "null"), chunk(call(`"index":0,"id":"Y3ovZcPhsO9XpTdDqMvZ3hCKnmHfKTIO","type":"function",`, `"{"`), "null"),
			chunk(`{"tool_calls":[{"index":0,"function":{"arguments":"\"city\": \"Paris\"}"}}]}`, "null"), chunk(`{}`, `"tool_calls"`), total, done),
			Want: calls("", counts, "Y3ovZcPhsO9XpTdDqMvZ3hCKnmHfKTIO"+paris)},
		"ollama-tools": {API: "openai", Frames: data(
			chunk(`{"role":"assistant","content":"","tool_calls":[{"id":"call_8xk2bq1f","index":0,"type":"function","function":{"name":"get_weather","arguments":"{\"city\": \"Paris\"}"}}]}`, "null"),
			chunk(`{"role":"assistant","content":"","tool_calls":[{"id":"call_0d4v7c9a","index":1,"type":"function","function":{"name":"get_weather","arguments":"{\"city\": \"Oslo\"}"}}]}`, "null"),
			chunk(`{"role":"assistant","content":""}`, `"tool_calls"`), total, done), Want: calls("", counts, "call_8xk2bq1f"+paris, "call_0d4v7c9a"+oslo)},
		"ollama-tools-old": {API: "openai", Frames: data( // all have the index 0, and the reason is stop
			chunk(call(`"id":"call_8xk2bq1f","index":0,"type":"function",`, `"{\"city\": \"Paris\"}"`), "null"), chunk(call(`"id":"call_0d4v7c9a","index":0,"type":"function",`, `"{\"city\": \"Oslo\"}"`), "null"),
			chunk(`{"role":"assistant","content":""}`, `"stop"`), done), Want: calls("", []int{0, 0, 19}, "call_8xk2bq1f"+paris, "call_0d4v7c9a"+oslo)},
		"ollama-tools-object": {API: "openai", Frames: data( // arguments as the native API has them, as proxies pass them on
			chunk(`{"role":"assistant","content":"","tool_calls":[{"function":{"name":"get_weather","arguments":{"city": "Paris"}}},{"function":{"name":"get_weather","arguments":{"city": "Oslo"}}},{"function":{"name":"now","arguments":{}}}]}`, "null"),
			chunk(`{"role":"assistant","content":""}`, `"stop"`), total, done), Want: calls("", counts, "call_1"+paris, "call_2"+oslo, "call_3 now {}")},
		"mistral-tools": {API: "openai", Frames: data(
			`{"id":"4c","object":"chat.completion.chunk","created":1763000000,"model":"mistral-small-2506","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`,
			`{"id":"4c","object":"chat.completion.chunk","created":1763000000,"model":"mistral-small-2506","choices":[{"index":0,"delta":{"content":"","tool_calls":[{"id":"D681PevKs","function":{"name":"get_weather","arguments":"{\"city\": \"Paris\"}"},"index":0},{"id":"X3pQz9aLm","function":{"name":"get_weather","arguments":"{\"city\": \"Oslo\"}"},"index":1}]},"finish_reason":"tool_calls"}],`+usage+`}`,
			done), Want: calls("", counts, "D681PevKs"+paris, "X3pQz9aLm"+oslo)},
		"mistral-tools-old": {API: "openai", Frames: data( // without ids and indexes
			chunk(`{"content":"","tool_calls":[{"id":"null","function":{"name":"get_weather","arguments":"{\"city\": \"Paris\"}"}},{"id":"null","function":{"name":"get_weather","arguments":"{\"city\": \"Oslo\"}"}}]}`, `"tool_calls"`), done),
			Want: calls("", []int{0, 0, 19}, "call_1"+paris, "call_2"+oslo)},
		"tools-without-anything": {API: "openai", Frames: data( // but their names
			chunk(`{"tool_calls":[{"function":{"name":"now"}},{"function":{"name":"now","arguments":null}}]}`, `"stop"`), `{"choices":[],`+usage+`}`, done), Want: calls("", counts, "call_1 now {}", "call_2 now {}")},
		"groq-tools": {API: "openai", Frames: data(
			chunk(`{"role":"assistant","content":null}`, "null"),
			chunk(`{"tool_calls":[{"id":"call_y27n","type":"function","function":{"name":"get_weather","arguments":"{\"city\": \"Paris\"}"},"index":0},{"id":"call_y27n","type":"function","function":{"name":"get_weather","arguments":"{\"city\": \"Oslo\"}"},"index":1}]}`, "null"),
			`{"id":"chatcmpl-e7","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"tool_calls"}],"x_groq":{"id":"req_01jt",`+usage+`}}`, done),
			Want: calls("", counts, "call_y27n"+paris, "call_2"+oslo)},
		"deepseek-tools": {API: "openai", Frames: data(
			chunk(`{"role":"assistant","content":"One moment."}`, "null"), chunk(call(`"index":0,"id":"call_0_c5ab","type":"function",`, `""`), "null"),
			chunk(`{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\": \"Paris"}}]}`, "null"), chunk(`{"tool_calls":[{"index":0,"function":{"arguments":"\"}"}}]}`, "null"),
			`{"id":"cmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":""},"logprobs":null,"finish_reason":"tool_calls"}],`+usage+`}`, done), Want: calls("One moment.", counts, "call_0_c5ab"+paris)},
		"qwen-tools": {API: "openai", Frames: data( // later parts have an empty id and name
			chunk(`{"content":null,"role":"assistant","tool_calls":[{"index":0,"id":"call_a8f1","type":"function","function":{"name":"get_weather","arguments":""}}]}`, "null"),
			chunk(`{"tool_calls":[{"index":0,"id":"","type":"function","function":{"name":"","arguments":"{\"city\": "}}]}`, "null"),
			chunk(`{"tool_calls":[{"index":0,"id":"","type":"function","function":{"arguments":"\"Paris\"}"}}]}`, "null"), chunk(`{"content":null}`, `"tool_calls"`), total, done), Want: calls("", counts, "call_a8f1"+paris)},
		"gemini-tools": {API: "openai", Frames: data( // a reason with every event, and neither ids nor indexes that tell the calls apart
			chunk(`{"role":"assistant","tool_calls":[{"extra_content":{"google":{"thought_signature":"EqQB"}},"function":{"arguments":"{\"city\": \"Paris\"}","name":"get_weather"},"id":"","index":0,"type":"function"}]}`, `"tool_calls"`),
			chunk(`{"role":"assistant","tool_calls":[{"function":{"arguments":"{\"city\": \"Oslo\"}","name":"get_weather"},"id":"","index":0,"type":"function"}]}`, `"tool_calls"`),
			`{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":"stop"}],`+usage+`}`, done), Want: calls("", counts, "call_1"+paris, "call_2"+oslo)},
		"openrouter-tools": {API: "openai", Frames: append([]string{": OPENROUTER PROCESSING\n\n"}, data(
			chunk(`{"role":"assistant","content":"","reasoning":"Hm."}`, "null"), chunk(call(`"index":0,"id":"toolu_01","type":"function",`, `""`), "null"),
			chunk(`{"role":"assistant","content":null,"tool_calls":[{"index":0,"type":"function","function":{"arguments":"{\"city\": \"Paris\"}"}}]}`, "null"),
			`{"id":"gen-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"tool_calls","native_finish_reason":"tool_use"}]}`, total, done)...), Want: calls("", counts, "toolu_01"+paris)},
	}
}

// anthropicToolFormats are calls of tools by Anthropic, and by servers that speak its Messages.
func anthropicToolFormats() map[string]Format {
	const (
		first  = `{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_01T1x1fJ34qAmk2tNTrN7Up6","name":"get_weather","input":{}}}`
		second = `{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_01A09q90qw90lq917835lq9","name":"now","input":{}}}`
		paris  = `toolu_01T1x1fJ34qAmk2tNTrN7Up6 get_weather {"city": "Paris"}`
		now    = `toolu_01A09q90qw90lq917835lq9 now {}`
		stop   = `{"type":"content_block_stop","index":1}`
	)
	part := func(text string) string {
		return `{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"` + text + `"}}`
	}
	text := events("message_start", anthropicStart, "content_block_start", anthropicTextStart, "content_block_delta", anthropicHello, "content_block_delta", anthropicThere,
		"content_block_stop", anthropicTextStop)
	call := events("content_block_start", first, "content_block_delta", part(""), "content_block_delta", part(`{\"city\":`), "ping", `{"type": "ping"}`,
		"content_block_delta", part(` \"Paris\"}`), "content_block_stop", stop)
	other := events("content_block_start", second, "content_block_delta", `{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}`,
		"content_block_stop", `{"type":"content_block_stop","index":2}`)
	ends := func(reason string) []string {
		return events("message_delta", anthropicEnd(reason), "message_stop", anthropicStop)
	}
	counts := []int{12, 0, 34}
	return map[string]Format{
		"anthropic-tools":       {API: "anthropic", Frames: slices.Concat(text, call, other, ends("tool_use")), Want: calls("Hello there", counts, paris, now)},
		"anthropic-tools-alone": {API: "anthropic", Frames: slices.Concat(text[:1], call, ends("tool_use")), Want: calls("", counts, paris)},
		"anthropic-tools-cut":   {API: "anthropic", Frames: slices.Concat(text[:1], call[:3], ends("max_tokens")), Want: Want{Err: ports.ErrToolCallCut, Usage: counts}},
		"anthropic-tools-cut-at-start": {API: "anthropic", Frames: slices.Concat(text[:1], call, other[:1], ends("max_tokens")),
			Want: Want{Err: ports.ErrToolCallCut, Usage: counts}},
		"anthropic-tools-input-at-start": {API: "anthropic", Frames: slices.Concat(text[:1],
			events("content_block_start", `{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_01T1x1fJ34qAmk2tNTrN7Up6","name":"get_weather","input":{"city": "Paris"}}}`,
				"content_block_stop", stop), ends("tool_use")), Want: calls("", counts, paris)},
		"anthropic-tools-of-the-server": {API: "anthropic", Frames: slices.Concat(text[:1],
			events("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"srvtoolu_01","name":"web_search","input":{}}}`,
				"content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"query\": \"x\"}"}}`, "content_block_stop", anthropicTextStop),
			text[1:], ends("end_turn")), Want: Want{Text: "Hello there", Finish: domain.FinishStop, Usage: counts}},
		"anthropic-tools-whole": {API: "anthropic", Frames: []string{`{"id":"msg_01","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"Hello there"},` +
			`{"type":"tool_use","id":"toolu_01T1x1fJ34qAmk2tNTrN7Up6","name":"get_weather","input":{"city": "Paris"}},{"type":"tool_use","id":"toolu_01A09q90qw90lq917835lq9","name":"now","input":{}}],` +
			`"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":12,"output_tokens":34}}`}, Want: calls("Hello there", counts, paris, now)},
	}
}
