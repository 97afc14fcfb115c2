// Package modeltest is a server for tests that responds as the providers of models do, including their failures.
package modeltest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Script is the response to one call. The zero Script is a whole answer: "Hello there".
type Script struct {
	Pieces     []string // of text; nil: "Hello", " there" where there are no Calls; empty: none
	Calls      []ScriptCall
	Status     int    // other than 0: the call is refused with this status
	Code       string // of the refusal, which also repeats the key and the prompt, as some servers do
	RetryAfter string
	Body       string // of the refusal, byte for byte, in place of one with Code
	Hangs      bool   // it sends nothing at all, not even the head of a response
	Stalls     bool   // after the pieces, and in the midst of the arguments of the last of the Calls, it sends nothing more until the caller has gone
	Breaks     bool   // there the connection ends
	Ends       bool   // there the response ends, without saying that it is whole
	Malformed  bool   // there comes something that is no JSON
	Fails      bool   // there comes an error
	Finish     string // the reason of the end; empty: that of a whole answer, with Calls or without
	Input      int    // tokens, the cached ones included
	Cached     int
	Output     int
	Mute       bool   // it does not send its usage
	Format     string // not empty: it responds with this entry of Formats, and ignores all other fields
}

// ScriptCall is the call of a tool by the model, after the pieces.
type ScriptCall struct{ ID, Name, Arguments string } // no ID: one is made; no Arguments: {}

// Call is a request that the server has received.
type Call struct {
	Path   string
	Query  string
	Header http.Header
	Body   map[string]any
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
	if script.Pieces == nil && script.Calls == nil {
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

func encode(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("modeltest: " + err.Error()) // maps and texts can be encoded
	}
	return string(raw)
}
