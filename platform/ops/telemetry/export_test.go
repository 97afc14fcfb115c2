package telemetry

import sdk "go.opentelemetry.io/otel/sdk/trace"

// NewTracingTo makes a Tracing that sends to an exporter of a test.
func NewTracingTo(exporter sdk.SpanExporter, share float64, key []byte) *Tracing {
	return newTracing(exporter, "test", newSampler(share, key))
}
