package telemetry

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley/parley/platform/request/callctx"
)

// sampler chooses the traces that are sent. Trace ids of the program are chosen by a keyed digest, so that all
// processes with the same key make the same choice. Trace ids that a client has sent are chosen at random, call by
// call: a client that finds one that is sent gains nothing by using it again. The sampling flag in a traceparent is
// ignored.
type sampler struct {
	share float64 // of all traces, from 0 to 1
	key   []byte
}

// newSampler returns a sampler for the first span of a call in this process; the spans below it follow its decision.
func newSampler(share float64, key []byte) sdk.Sampler {
	s := sampler{share, key}
	return sdk.ParentBased(s, sdk.WithRemoteParentSampled(s), sdk.WithRemoteParentNotSampled(s))
}

// ShouldSample decides whether a trace is sent.
func (s sampler) ShouldSample(p sdk.SamplingParameters) sdk.SamplingResult {
	var drawn [8]byte
	if callctx.From(p.ParentContext).TraceGiven {
		_, _ = rand.Read(drawn[:]) // it never fails
	} else {
		mac := hmac.New(sha256.New, s.key)
		mac.Write(p.TraceID[:])
		copy(drawn[:], mac.Sum(nil))
	}
	decision := sdk.Drop
	if float64(binary.BigEndian.Uint64(drawn[:])>>11) < s.share*math.Exp2(53) { // 53 bits, which a float64 holds exactly
		decision = sdk.RecordAndSample
	}
	return sdk.SamplingResult{Decision: decision, Tracestate: trace.SpanContextFromContext(p.ParentContext).TraceState()}
}

// Description names the sampler.
func (s sampler) Description() string { return "ParleySampler" }
