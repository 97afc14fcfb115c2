package mcptool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/parley/parley/modules/bots/adapters/tooltarget"
	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/platform/work/webhook"
)

const (
	maxAnswers   = 4 << 20     // bytes of all answers of a session
	maxReconnect = 3           // attempts to go on reading an answer that has broken off; the call is not sent again
	leaveTimeout = time.Second // for the end of a session
	maxReason    = 300         // bytes
	userAgent    = "parley-tools/1"
)

// ownError is a failure that is ours to say.
type ownError struct {
	error
	ofCredentials bool
}

var errTooLong = ownError{error: fmt.Errorf("its answers have more than %d bytes", maxAnswers)}

// wire carries the requests of one session. It adds credentials, bounds what is answered, and remembers the last answer, of which the errors of
// the SDK do not say enough.
type wire struct {
	caller  Caller
	secrets *domain.Credentials
	ctx     context.Context // of all requests of the session //nolint:containedctx // the SDK sends some of them apart from the call
	close   context.CancelFunc
	left    atomic.Int64 // bytes that may still be answered
	begun   atomic.Bool  // a call of a tool was written, at least in part

	mu    sync.Mutex
	reply reply
}

// reply is what the last message of the session came to.
type reply struct {
	status int           // 0: there was no answer
	said   string        // the body of an answer that is no success
	wait   time.Duration // for how long the server does not want to be asked
	err    error         // of the connection
}

// open returns the wire of a session, which ends a moment after the context.
func (c Caller) open(ctx context.Context, secrets *domain.Credentials) *wire {
	w := &wire{caller: c, secrets: secrets}
	w.left.Store(maxAnswers)
	w.ctx, w.close = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { time.AfterFunc(leaveTimeout, w.close) })
	return w
}

// connect begins a session.
func (w *wire) connect(ctx context.Context, url string) (*mcp.ClientSession, error) {
	client := mcp.NewClient(&mcp.Implementation{Name: "parley", Version: "1"}, &mcp.ClientOptions{
		Logger:         slog.New(slog.DiscardHandler),
		Capabilities:   &mcp.ClientCapabilities{},
		MultiRoundTrip: &mcp.MultiRoundTripOptions{Disabled: true},
	})
	return client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: url, MaxRetries: maxReconnect, DisableStandaloneSSE: true, MaxEventSize: maxAnswers,
		HTTPClient: &http.Client{Transport: w, CheckRedirect: w.caller.Target.HTTP.CheckRedirect},
	}, nil)
}

// leave ends a session, which a server may have been keeping.
func (w *wire) leave(session *mcp.ClientSession) {
	timer := time.AfterFunc(leaveTimeout, w.close)
	defer timer.Stop()
	_ = session.Close() // the server forgets it by itself
}

// RoundTrip sends a request.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	method := methodOf(r)
	answer, err := w.send(r, method == "tools/call")
	if r.Method != http.MethodPost || method == "notifications/cancelled" {
		return answer, err // what the message before came to counts
	}
	got := reply{err: err}
	if err == nil {
		got.status, got.wait = answer.StatusCode, webhook.RetryAfter(answer, time.Now())
		if got.status >= http.StatusMultipleChoices {
			raw, _ := io.ReadAll(answer.Body) // what was read counts
			_ = answer.Body.Close()
			got.said = said(raw)
			answer.Body = io.NopCloser(bytes.NewReader(raw))
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reply = got
	return answer, err
}

func (w *wire) send(r *http.Request, isCall bool) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	context.AfterFunc(w.ctx, cancel)
	if w.left.Load() <= 0 {
		return nil, errTooLong
	}
	if isCall {
		// Whatever was written of a call may have had its effect.
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { w.begun.Store(true) }})
	}
	request := r.Clone(ctx)
	request.Header.Set("User-Agent", userAgent)
	if err := w.caller.Target.Authorize(ctx, request, w.secrets); err != nil {
		return nil, ownError{error: err, ofCredentials: true}
	}
	answer, err := w.caller.Target.HTTP.Transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusUnauthorized {
		w.caller.Target.Forget(ctx, w.secrets)
	}
	answer.Body = &bounded{answer.Body, w}
	return answer, nil
}

// methodOf returns the method of the message that a request has; "" for none.
func methodOf(r *http.Request) string {
	if r.GetBody == nil {
		return ""
	}
	body, err := r.GetBody()
	if err != nil {
		return ""
	}
	var message struct {
		Method string `json:"method"`
	}
	if json.NewDecoder(body).Decode(&message) != nil {
		return ""
	}
	return message.Method
}

// said returns the text of an answer that is no success: the message of an error of JSON-RPC, or all of it.
func said(raw []byte) string {
	var message struct {
		Error *struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(raw, &message) == nil && message.Error != nil {
		return tooltarget.Clean(message.Error.Message)
	}
	return tooltarget.Clean(string(raw))
}

// bounded is the body of an answer, which ends with an error where the session has read too much.
type bounded struct {
	io.ReadCloser
	w *wire
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case b.w.left.Add(-int64(n)) < 0:
		err = errTooLong
	case err == nil || errors.Is(err, io.EOF):
		return n, err
	}
	b.w.broke(err)
	return n, err
}

// broke remembers that an answer has broken off.
func (w *wire) broke(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reply.err == nil {
		w.reply.err = err
	}
}

// last returns what the last message came to.
func (w *wire) last() reply {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reply
}
