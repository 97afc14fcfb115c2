// Package reranktest is a fake server of a reranking model, for tests. The score of a text is the part of its words that the
// query has.
package reranktest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Server is a running fake.
type Server struct {
	*httptest.Server
	mu     sync.Mutex
	script Script
	calls  []Call
}

// Script is how the server responds from now on. The zero Script responds to every call.
type Script struct {
	Status int    // other than 0: every call is refused with this status
	Body   string // in place of scores
	Hangs  bool   // it responds nothing until the caller has gone
}

// Call is a call that was received.
type Call struct {
	Model     string   `json:"model"`
	Query     string   `json:"query"`
	Documents []string `json:"documents"`
	TopN      int      `json:"top_n"`
	Path      string   `json:"-"`
	Header    http.Header
}

// New starts a fake that ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

// BaseURL returns what RERANK_BASE_URL is set to.
func (s *Server) BaseURL() string { return s.URL + "/v1" }

// Respond changes how the server responds.
func (s *Server) Respond(script Script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

// Calls returns the calls that were received.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	call := Call{Path: r.URL.RequestURI(), Header: r.Header}
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.calls = append(s.calls, call)
	script := s.script
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case script.Hangs:
		<-r.Context().Done()
	case script.Status != 0:
		w.WriteHeader(script.Status)
		_, _ = w.Write([]byte(script.Body))
	case script.Body != "":
		_, _ = w.Write([]byte(script.Body))
	default:
		_ = json.NewEncoder(w).Encode(map[string]any{"results": results(call)})
	}
}

// results returns the scores, the best first, as such servers send them.
func results(call Call) []map[string]any {
	order := make([]int, len(call.Documents))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(Score(call.Query, call.Documents[b]), Score(call.Query, call.Documents[a]))
	})
	list := make([]map[string]any, 0, len(order))
	for _, i := range order[:min(len(order), call.TopN)] {
		list = append(list, map[string]any{"index": i, "relevance_score": Score(call.Query, call.Documents[i])})
	}
	return list
}

// Score returns the part of the words of a text that the query has.
func Score(query, text string) float64 {
	asked, words, same := strings.Fields(strings.ToLower(query)), strings.Fields(strings.ToLower(text)), 0
	for _, word := range words {
		if slices.Contains(asked, word) {
			same++
		}
	}
	return float64(same) / float64(max(len(words), 1))
}
