package modeltest

import (
	"slices"
	"strings"

	"github.com/parley/parley/modules/conversations/domain"
)

// transportFormats are ways in which an answer comes over the wire.
func transportFormats() map[string]Format {
	chunk := func(text string) string {
		return `{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"` + text + `"},"finish_reason":null}]}`
	}
	const (
		stop  = `{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
		usage = `{"object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":34}}`
	)
	greeting := data(chunk("Hello"), chunk(" there"), stop, usage, done)
	want := Want{Text: "Hello there", Finish: domain.FinishStop, Usage: []int{12, 0, 34}}
	ending := func(end string) []string {
		frames := make([]string, len(greeting))
		for i, f := range greeting {
			frames[i] = strings.ReplaceAll(f, "\n", end)
		}
		return frames
	}
	bytewise := strings.Split(strings.Join(data(chunk("Привет, 🙂"), stop, usage, done), ""), "")
	var split []string
	for _, r := range bytewise {
		for i := range len(r) {
			split = append(split, r[i:i+1])
		}
	}
	long := strings.Repeat("я", 500_000) // a million bytes of text
	thinking := data(`{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"reasoning_content":"` + strings.Repeat("hm ", 20_000) + `"},"finish_reason":null}]}`)
	document := `{"id":"chatcmpl-1","object":"chat.completion","created":1763000000,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello there","refusal":null,"reasoning_content":"Hm."},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46}}`
	asJSON := map[string]string{"Content-Type": "application/json"}
	return map[string]Format{
		"cr":                   {API: "openai", Frames: ending("\r"), Want: want},
		"cr-open":              {API: "openai", Frames: ending("\r")[:4], Open: true, Want: want},
		"crlf":                 {API: "openai", Frames: ending("\r\n"), Want: want},
		"crlf-split":           {API: "openai", Frames: strings.SplitAfter(strings.Join(ending("\r\n"), ""), "\r"), Want: want},
		"byte-order-mark":      {API: "openai", Frames: append([]string{"\uFEFF"}, greeting...), Want: want},
		"comments":             {API: "openai", Frames: append([]string{":\n\n", ": ping\n", "\n\n", "retry: 3000\n\n", "id: 1\nevent: message\n"}, greeting...), Want: want},
		"data-without-space":   {API: "openai", Frames: []string{strings.ReplaceAll(strings.Join(greeting, ""), "data: ", "data:")}, Want: want},
		"data-in-lines":        {API: "openai", Frames: []string{strings.ReplaceAll(strings.Join(greeting, ""), `,"choices"`, ",\ndata: \"choices\"")}, Want: want},
		"no-blank-line-at-end": {API: "openai", Frames: []string{strings.Join(data(chunk("Hello there")), "") + "data: " + done}, Want: Want{Text: "Hello there"}},
		"split-utf8":           {API: "openai", Frames: split, Want: Want{Text: "Привет, 🙂", Finish: domain.FinishStop, Usage: []int{12, 0, 34}}},
		"two-megabyte-line": {API: "openai", Frames: data(
			`{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"reasoning_content":"`+long+`","content":"`+long+`"},"finish_reason":null}]}`, stop, usage, done),
			Want: Want{Text: long, Finish: domain.FinishStop, Usage: []int{12, 0, 34}}},
		"reasoning-of-20-megabytes": {API: "openai", Frames: append(slices.Repeat(thinking, 350), greeting...), Want: want},
		"gzip":                      {API: "openai", Gzip: true, Frames: greeting, Want: want},
		"json":                      {API: "openai", Header: asJSON, Frames: []string{document}, Want: want},
		"json-after-blank-lines":    {API: "openai", Header: asJSON, Frames: []string{"\n", "\n\n", document}, Want: want},
		"json-as-event-stream":      {API: "openai", Frames: []string{document}, Want: want},
		"json-in-an-event":          {API: "openai", Frames: data(document, done), Want: want},
		"json-gzip":                 {API: "openai", Header: asJSON, Gzip: true, Frames: []string{document}, Want: want},
		"json-cut":                  {API: "openai", Header: asJSON, Frames: []string{document[:len(document)/2]}, Want: Want{Fails: true}},
		"json-error":                {API: "openai", Header: asJSON, Frames: []string{`{"error":{"message":"Internal server error","type":"server_error"}}`}, Want: Want{Fails: true}},
		"event-stream-as-json":      {API: "openai", Header: asJSON, Frames: greeting, Want: want},
		"html":                      {API: "openai", Header: map[string]string{"Content-Type": "text/html"}, Frames: []string{"<html><body>Sign in</body></html>\n"}, Want: Want{Fails: true}},
		"anthropic-cr":              {API: "anthropic", Frames: []string{strings.ReplaceAll(strings.Join(anthropicGreeting(), ""), "\n", "\r")}, Want: want},
		"anthropic-json": {API: "anthropic", Header: asJSON, Frames: []string{
			`{"id":"msg_01","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"thinking","thinking":"Hm.","signature":"c2ln"},{"type":"text","text":"Hello"},{"type":"text","text":" there"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":34}}`,
		}, Want: want},
		"anthropic-json-error": {API: "anthropic", Header: asJSON, Frames: []string{`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`}, Want: Want{Fails: true}},
		"anthropic-gzip":       {API: "anthropic", Gzip: true, Frames: anthropicGreeting(), Want: want},
	}
}
