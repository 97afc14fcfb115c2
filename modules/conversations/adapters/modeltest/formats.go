package modeltest

import (
	"compress/gzip"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
)

// Format is a recorded answer of a real server, which is replayed byte for byte.
type Format struct {
	API    string // openai or anthropic
	Status int    // 0: 200
	Header map[string]string
	Frames []string // each is written and flushed alone
	Gzip   bool
	Open   bool // the connection stays open after the last frame, until the caller goes
	Breaks bool // the connection breaks after the last frame
	Want   Want
}

// Want is the result that an adapter must return for a format.
type Want struct {
	Text    string
	Calls   []string // of tools, each as "ID NAME ARGUMENTS"
	Finish  domain.FinishReason
	Usage   []int         // input, cached, output; nil: none is sent
	Err     error         // a permanent failure
	Message string        // the provider's error message
	Fails   bool          // it is a temporary failure
	Wait    time.Duration // how long the server asks not to be called, after such a failure
}

// Formats are all named formats.
func Formats() map[string]Format {
	all := map[string]Format{}
	for _, some := range []map[string]Format{
		openAIFormats(), serverFormats(), localFormats(), endingFormats(), transportFormats(), refusalFormats(), anthropicFormats(),
		toolFormats(), serverToolFormats(), anthropicToolFormats(),
	} {
		maps.Copy(all, some)
	}
	return all
}

// replay answers a call with a format.
func (s *Server) replay(w http.ResponseWriter, r *http.Request, f Format) {
	w.Header().Set("Content-Type", "text/event-stream")
	for name, value := range f.Header {
		w.Header().Set(name, value)
	}
	out := io.Writer(w)
	flush := func() { _ = http.NewResponseController(w).Flush() }
	if f.Gzip {
		w.Header().Set("Content-Encoding", "gzip")
		zipped := gzip.NewWriter(w)
		out, flush = zipped, func() {
			_ = zipped.Flush()
			_ = http.NewResponseController(w).Flush()
		}
		defer func() { _ = zipped.Close() }()
	}
	if f.Status != 0 {
		w.WriteHeader(f.Status)
	}
	for _, frame := range f.Frames {
		_, _ = io.WriteString(out, frame)
		flush()
	}
	switch {
	case f.Open:
		s.asked <- struct{}{}
		<-r.Context().Done()
		s.gone <- struct{}{}
	case f.Breaks:
		panic(http.ErrAbortHandler)
	}
}

// data frames JSON documents as events.
func data(documents ...string) []string {
	frames := make([]string, len(documents))
	for i, d := range documents {
		frames[i] = "data: " + d + "\n\n"
	}
	return frames
}

// events frames JSON documents as events with a name, which comes before each.
func events(pairs ...string) []string {
	var frames []string
	for i := 0; i+1 < len(pairs); i += 2 {
		frames = append(frames, "event: "+pairs[i]+"\ndata: "+pairs[i+1]+"\n\n")
	}
	return frames
}
