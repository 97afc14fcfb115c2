// Package embeddingtest is a fake server of an embedding model, for tests. It is no model: the vector of a text is made of
// the hashes of its words, so that texts with the same words are near each other and everything is the same in each run.
package embeddingtest

import (
	"encoding/json"
	"hash/fnv"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"
)

// Model is the name under which the fake serves vectors. It also serves every other name that begins with "fake-", each
// with vectors of its own.
const Model = "fake-bag-of-words"

// Dimensions is the length of a vector where a call asks for no other.
const Dimensions = 64

// Server is a running fake.
type Server struct {
	*httptest.Server
	mu     sync.Mutex
	script Script
	calls  []Call
}

// Script is how the server responds from now on. The zero Script responds to every call.
type Script struct {
	Status     int    // other than 0: every call is refused with this status
	Body       string // of the refusal, or, without a Status, of the response
	RetryAfter string // of the refusal
	Refusals   int    // after so many refusals it responds; 0: never
	MaxBatch   int    // texts in a call, else it refuses with TooMany; 0: no bound
	TooMany    int    // the status for that; 0: 400
	Mute       bool   // it does not send its usage
	Backwards  bool   // it sends the vectors in the opposite order, with their right index
	Hangs      bool   // it responds nothing until the caller has gone
	Key        string // not empty: other keys are refused
}

// Call is a call that was received.
type Call struct {
	Model          string   `json:"model"`
	Input          []string `json:"input"`
	EncodingFormat string   `json:"encoding_format"`
	Dimensions     *int     `json:"dimensions"`
	User           *string  `json:"user"`
	Path           string   `json:"-"`
	Header         http.Header
}

// New starts a fake that ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

// BaseURL returns what EMBEDDING_BASE_URL is set to.
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

// Texts returns how many texts were received.
func (s *Server) Texts() (n int) {
	for _, c := range s.Calls() {
		n += len(c.Input)
	}
	return n
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	call := Call{Path: r.URL.RequestURI(), Header: r.Header}
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		refuse(w, http.StatusBadRequest, "the body is no JSON")
		return
	}
	s.mu.Lock()
	s.calls = append(s.calls, call)
	script := s.script
	if script.Status != 0 && script.Refusals > 0 {
		if s.script.Refusals--; s.script.Refusals == 0 {
			s.script.Status, s.script.Body = 0, ""
		}
	}
	s.mu.Unlock()
	w.Header().Set("Server", "fake embedding model for tests")
	w.Header().Set("Content-Type", "application/json")
	switch {
	case script.Hangs:
		<-r.Context().Done()
	case script.Status != 0:
		if script.RetryAfter != "" {
			w.Header().Set("Retry-After", script.RetryAfter)
		}
		w.WriteHeader(script.Status)
		_, _ = w.Write([]byte(script.Body))
	case script.Body != "":
		_, _ = w.Write([]byte(script.Body))
	case script.Key != "" && r.Header.Get("Authorization") != "Bearer "+script.Key:
		refuse(w, http.StatusUnauthorized, "Incorrect API key provided: "+r.Header.Get("Authorization"))
	case !strings.HasPrefix(call.Model, "fake-"):
		refuse(w, http.StatusNotFound, "The model `"+call.Model+"` does not exist")
	case script.MaxBatch > 0 && len(call.Input) > script.MaxBatch:
		refuse(w, max(script.TooMany, http.StatusBadRequest), "batch size is invalid")
	default:
		s.answer(w, call, script)
	}
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": message, "type": "invalid_request_error", "param": nil, "code": nil}})
}

func (s *Server) answer(w http.ResponseWriter, call Call, script Script) {
	dimensions, tokens := Dimensions, 0
	if call.Dimensions != nil {
		dimensions = *call.Dimensions
	}
	data := make([]map[string]any, len(call.Input))
	for i, text := range call.Input {
		tokens += len(words(text))
		data[i] = map[string]any{"object": "embedding", "index": i, "embedding": Vector(call.Model, text, dimensions)}
	}
	if script.Backwards {
		slices.Reverse(data)
	}
	body := map[string]any{"object": "list", "model": call.Model, "data": data}
	if !script.Mute {
		body["usage"] = map[string]any{"prompt_tokens": tokens, "total_tokens": tokens}
	}
	_ = json.NewEncoder(w).Encode(body)
}

// Vector returns the vector of a text, of any length: each word adds to a dimension that its hash and the model's name
// choose, the more the fewer times it was there.
func Vector(model, text string, dimensions int) []float32 {
	v := make([]float32, dimensions)
	counts := map[string]int{}
	for _, word := range words(text) {
		counts[word]++
		h := fnv.New32a()
		_, _ = h.Write([]byte(model + " " + word))
		v[h.Sum32()%uint32(dimensions)] += float32(1 / math.Sqrt(float64(counts[word])))
	}
	return v
}

func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
