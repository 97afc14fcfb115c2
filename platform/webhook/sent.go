package webhook

import (
	"context"
	"net/http/httptrace"
	"sync/atomic"
)

// TraceSent returns a context for a request, and a function that tells whether that request has been sent whole.
func TraceSent(ctx context.Context) (traced context.Context, sent func() bool) {
	var whole atomic.Bool
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) { whole.Store(info.Err == nil) },
	}), whole.Load
}
