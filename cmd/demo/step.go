package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"
)

const (
	operationHeader = "X-Operation-Id"
	replayedHeader  = "X-Operation-Replayed"
)

const (
	timeout      = 30 * time.Second // of one answer
	jobTimeout   = 2 * time.Minute  // of what happens in the background
	pollInterval = 200 * time.Millisecond
)

// step is one call, and what its answer should be.
type step struct {
	method, path string
	body         object  // nil: none
	operation    string  // X-Operation-Id; empty: the server makes one
	status       int     // that the answer should have
	until        *fact   // that the answer should tell in the end: the call is made again until it does
	facts        []fact  // that it should tell, and that are printed
	replayOf     *answer // the answer that it should repeat byte for byte
}

// fact is a value of an answer, by its path ("items.name" is a list of names), and what it should be; empty: anything.
type fact struct{ path, want string }

// walker makes the calls and prints them. After the first failure it does nothing more.
type walker struct {
	url    string
	token  string
	out    io.Writer
	client http.Client
	ctx    context.Context
	calls  int
	err    error
}

func newWalker(url string, out io.Writer) *walker {
	return &walker{url: url, out: out, client: http.Client{Timeout: timeout}}
}

// journey begins a part of the walk.
func (w *walker) journey(id, what string) {
	if w.err == nil {
		fmt.Fprintf(w.out, "%-5s %s\n\n", id, what)
	}
}

// do makes a call and holds the answer to what it should be.
func (w *walker) do(s step) answer {
	if w.err != nil {
		return answer{}
	}
	w.calls++
	a, err := w.call(s)
	if err == nil {
		err = w.check(s, a)
	}
	if err != nil {
		w.err = err
	}
	fmt.Fprintln(w.out)
	return a
}

// call prints a call, makes it, and prints its status. A call with until is made again until its answer has that value, or says that it
// failed.
func (w *walker) call(s step) (a answer, err error) {
	fmt.Fprintf(w.out, "  %s %s\n", s.method, s.path)
	var body []byte
	if s.body != nil {
		if body, err = json.Marshal(s.body); err != nil {
			return a, err
		}
		fmt.Fprintf(w.out, "  %s\n", body)
	}
	if s.operation != "" {
		fmt.Fprintf(w.out, "  %s: %s\n", operationHeader, s.operation)
	}
	for end := time.Now().Add(jobTimeout); ; {
		if a, err = w.send(s, body); err != nil {
			return a, err
		}
		if s.until == nil || a.status != s.status || slices.Contains([]string{s.until.want, "failed"}, a.text(s.until.path)) || time.Now().After(end) {
			fmt.Fprintf(w.out, "  => %d %s\n", a.status, http.StatusText(a.status))
			return a, nil
		}
		select {
		case <-time.After(pollInterval):
		case <-w.ctx.Done():
			return a, w.ctx.Err()
		}
	}
}

func (w *walker) send(s step, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(w.ctx, s.method, w.url+s.path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if w.token != "" {
		req.Header.Set("Authorization", "Bearer "+w.token)
	}
	if s.operation != "" {
		req.Header.Set(operationHeader, s.operation)
	}
	res, err := w.client.Do(req)
	if err != nil {
		return answer{}, w.explain(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: the answer broke off: %w", s.method, s.path, err)
	}
	return answer{status: res.StatusCode, replayed: res.Header.Get(replayedHeader), raw: raw}, nil
}

// explain says what to do when nobody answers.
func (w *walker) explain(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return fmt.Errorf("no server at %s: run make dev in another shell (%w)", w.url, op.Err)
	}
	return err
}

func (w *walker) check(s step, a answer) error {
	where := s.method + " " + s.path
	if a.status != s.status {
		return fmt.Errorf("%s: the status is %d and should be %d: %s", where, a.status, s.status, clip(string(a.raw), 500))
	}
	for _, f := range s.facts {
		got := a.text(f.path)
		if got == "" || f.want != "" && got != f.want {
			return fmt.Errorf("%s: %s is %q and should be %q: %s", where, f.path, got, f.want, clip(string(a.raw), 500))
		}
		fmt.Fprintf(w.out, "     %s: %s\n", f.path, clip(got, 80))
	}
	if s.replayOf == nil {
		return nil
	}
	if a.replayed != "true" || !bytes.Equal(a.raw, s.replayOf.raw) {
		return fmt.Errorf("%s: a retry under the same %s should get the first answer again, with %s: true", where, operationHeader, replayedHeader)
	}
	fmt.Fprintf(w.out, "     %s: true, byte for byte the first answer\n", replayedHeader)
	return nil
}
