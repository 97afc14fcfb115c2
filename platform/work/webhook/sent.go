package webhook

import (
	"context"
	"net/http/httptrace"
	"sync/atomic"
)

// TraceSent returns a context for a request, and a function that reports whether that request has been sent completely.
func TraceSent(ctx context.Context) (traced context.Context, sent func() bool) {
	var whole atomic.Bool
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) { whole.Store(info.Err == nil) },
	}), whole.Load
}
