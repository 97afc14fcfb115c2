// Package modeltest is a server for tests that responds as the providers of models do, including their failures.
package modeltest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Script is the response to one call. The zero Script is a whole answer: "Hello there".
type Script struct {
	Pieces     []string // of text; nil: "Hello", " there"; empty: none
	Status     int      // other than 0: the call is refused with this status
	Code       string   // of the refusal, which also repeats the key and the prompt, as some servers do
	RetryAfter string
	Body       string // of the refusal, byte for byte, in place of one with Code
	Hangs      bool   // it sends nothing at all, not even the head of a response
	Stalls     bool   // after the pieces it sends nothing more until the caller has gone
	Breaks     bool   // after the pieces the connection ends
	Ends       bool   // after the pieces the response ends, without saying that it is whole
	Malformed  bool   // after the pieces comes something that is no JSON
	Fails      bool   // after the pieces comes an error
	Finish     string
	Input      int // tokens, the cached ones included
	Cached     int
	Output     int
	Mute       bool   // it does not send its usage
	Format     string // not empty: it responds with this entry of Formats, and ignores all other fields
}

// Call is a request that the server has received.
type Call struct {
	Path   string
	Query  string
	Header http.Header
	Body   map[string]any
}

// Messages are the roles and texts of a call, in order: "user: Hi".
func (c Call) Messages() (texts []string) {
	list, _ := c.Body["messages"].([]any)
	for _, m := range list {
		m, _ := m.(map[string]any)
		texts = append(texts, fmt.Sprintf("%v: %s", m["role"], text(m["content"])))
	}
	return texts
}

// text reads content, which is a text or a list of blocks that have one.
func text(content any) string {
	if s, ok := content.(string); ok {
		return s
	}
	list, _ := content.([]any)
	var all strings.Builder
	for _, block := range list {
		block, _ := block.(map[string]any)
		fmt.Fprint(&all, block["text"])
	}
	return all.String()
}

// Server answers Chat Completions and Messages.
type Server struct {
	URL string // without a path

	mu      sync.Mutex
	scripts []Script
	calls   []Call
	gone    chan struct{}
	asked   chan struct{}
}

// New starts a server for the length of a test.
func New(t testing.TB, scripts ...Script) *Server {
	t.Helper()
	for _, script := range scripts {
		if _, ok := Formats()[script.Format]; !ok && script.Format != "" {
			t.Fatalf("there is no format %q", script.Format)
		}
	}
	s := &Server{scripts: scripts, gone: make(chan struct{}, 100), asked: make(chan struct{}, 10_000)}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Then makes the next calls use these scripts; the calls after them get whole answers.
func (s *Server) Then(scripts ...Script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts = append(s.scripts, scripts...)
}

// Calls returns the calls that the server has received.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call{}, s.calls...)
}

// Asked returns a channel that receives a value for each call that stalls or hangs, once what comes before that was sent.
func (s *Server) Asked() <-chan struct{} { return s.asked }

// Gone returns a channel that receives a value for each caller who has left before its response was whole.
func (s *Server) Gone() <-chan struct{} { return s.gone }

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	call := Call{Path: r.URL.Path, Query: r.URL.RawQuery, Header: r.Header.Clone()}
	_ = json.Unmarshal(raw, &call.Body)
	s.mu.Lock()
	s.calls = append(s.calls, call)
	script := Script{}
	if len(s.scripts) > 0 {
		script, s.scripts = s.scripts[0], s.scripts[1:]
	}
	s.mu.Unlock()
	if script.Pieces == nil {
		script.Pieces = []string{"Hello", " there"}
	}
	if script.Format != "" {
		s.replay(w, r, Formats()[script.Format])
		return
	}
	if script.Hangs {
		s.asked <- struct{}{}
		<-r.Context().Done()
		s.gone <- struct{}{}
		return
	}
	if script.Status != 0 {
		refuse(w, r, script, string(raw))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	say := openAI
	if strings.HasSuffix(r.URL.Path, "/messages") {
		say = anthropic
	}
	before, after := say(script)
	send(w, before...)
	switch {
	case script.Stalls:
		s.asked <- struct{}{}
		<-r.Context().Done()
		s.gone <- struct{}{}
	case script.Breaks:
		panic(http.ErrAbortHandler)
	case script.Ends:
	case script.Malformed:
		send(w, "event: content_block_delta\ndata: {\"delta\": ")
	case script.Fails:
		send(w, "event: error\ndata: "+encode(map[string]any{"type": "error", "error": map[string]any{
			"type": "overloaded_error", "message": "secret prompt " + string(raw),
		}}))
	default:
		send(w, after...)
	}
}

func send(w http.ResponseWriter, frames ...string) {
	for _, f := range frames {
		_, _ = io.WriteString(w, f+"\n\n")
		_ = http.NewResponseController(w).Flush()
	}
}

func refuse(w http.ResponseWriter, r *http.Request, script Script, body string) {
	w.Header().Set("Content-Type", "application/json")
	if script.RetryAfter != "" {
		w.Header().Set("Retry-After", script.RetryAfter)
	}
	w.WriteHeader(script.Status)
	if script.Body != "" {
		_, _ = io.WriteString(w, script.Body)
		return
	}
	_, _ = io.WriteString(w, encode(map[string]any{"type": "error", "error": map[string]any{
		"type": script.Code, "code": script.Code, "message": "no: " + r.Header.Get("Authorization") + r.Header.Get("X-Api-Key") + body,
	}}))
}

// openAI returns the frames of a Chat Completion up to its last piece of text, and those that make it whole.
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
	after = append(after, frame(map[string]any{}, or(s.Finish, "stop"), nil))
	if !s.Mute {
		after = append(after, frame(nil, nil, map[string]any{
			"prompt_tokens": s.Input, "completion_tokens": s.Output, "total_tokens": s.Input + s.Output,
			"prompt_tokens_details": map[string]any{"cached_tokens": s.Cached},
		}))
	}
	return before, append(after, "data: [DONE]")
}

// anthropic returns the frames of a Message up to its last piece of text, and those that make it whole.
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
	return before, append(after,
		frame("content_block_stop", map[string]any{"index": 0}),
		frame("message_delta", map[string]any{
			"delta": map[string]any{"stop_reason": or(s.Finish, "end_turn")}, "usage": map[string]any{"output_tokens": s.Output},
		}),
		frame("message_stop", map[string]any{}))
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func encode(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("modeltest: " + err.Error()) // maps and texts can be encoded
	}
	return string(raw)
}
