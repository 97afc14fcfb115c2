package telemetry

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley/parley/platform/call"
)

// sampler chooses the traces that are sent. A trace id of our own is chosen by a keyed digest of it, so that all processes
// with the same key choose alike. A trace id that a client has brought is chosen at random, call by call: whoever finds
// one that is sent gains nothing by using it again. What a client's traceparent says of sampling is not looked at.
type sampler struct {
	share float64 // of all traces, from 0 to 1
	key   []byte
}

// newSampler makes a sampler that is asked for the first span of a call in this process; the spans beneath it follow it.
func newSampler(share float64, key []byte) sdk.Sampler {
	s := sampler{share, key}
	return sdk.ParentBased(s, sdk.WithRemoteParentSampled(s), sdk.WithRemoteParentNotSampled(s))
}

// ShouldSample decides whether a trace is sent.
func (s sampler) ShouldSample(p sdk.SamplingParameters) sdk.SamplingResult {
	var drawn [8]byte
	if call.From(p.ParentContext).TraceGiven {
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
