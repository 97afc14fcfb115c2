package command

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/parley/parley/platform/request/operations"
)

// HeaderReplayed is the header that marks a response as the stored one of an earlier call under the same operation id.
const HeaderReplayed = "X-Operation-Replayed"

// Answer is the response for the caller: a new one, or the stored one of an earlier call.
type Answer struct {
	operations.Answer
	Replayed bool
}

// Write sends the response.
func (a Answer) Write(w http.ResponseWriter) error {
	h := w.Header()
	for name, value := range map[string]string{"Content-Type": a.ContentType, "Location": a.Location, "ETag": a.ETag} {
		if value != "" {
			h.Set(name, value)
		}
	}
	if a.Replayed {
		h.Set(HeaderReplayed, "true")
	}
	w.WriteHeader(a.Status)
	_, err := w.Write(a.Body)
	return err
}

// render lets an encoder write into memory.
func render(encode Encoder) (Answer, error) {
	r := recorder{header: http.Header{}, status: http.StatusOK}
	if err := encode(&r); err != nil {
		return Answer{}, fmt.Errorf("encode the answer: %w", err)
	}
	return Answer{Answer: operations.Answer{
		Status:      r.status,
		ContentType: r.header.Get("Content-Type"),
		Location:    r.header.Get("Location"),
		ETag:        r.header.Get("ETag"),
		Body:        append([]byte{}, r.body.Bytes()...), // never nil: in the table NULL is for one that has expired
	}}, nil
}

type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
