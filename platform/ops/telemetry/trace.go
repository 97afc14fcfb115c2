package telemetry

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley/parley/platform/request/callctx"
)

// Tracing creates spans and sends them to an OpenTelemetry collector. The nil Tracing creates none and has no cost.
type Tracing struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	w3c      propagation.TraceContext
}

// exportTimeout is how long a batch of spans may take on its way, and their last one when the process ends.
const exportTimeout = 5 * time.Second

// NewTracing returns a Tracing that sends the spans of a share of all traces to the collector at endpoint
// (http(s)://host:port, OTLP over HTTP). The key must be the same in every process. It prevents clients from choosing
// trace ids that are sampled. Sending is asynchronous: spans that cannot be sent are lost.
func NewTracing(ctx context.Context, endpoint, version string, share float64, key []byte, log *slog.Logger) (*Tracing, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint+"/v1/traces"), otlptracehttp.WithTimeout(exportTimeout))
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	return newTracing(&patient{SpanExporter: exporter, log: log}, version, newSampler(share, key)), nil
}

func newTracing(exporter sdk.SpanExporter, version string, sampler sdk.Sampler) *Tracing {
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(exporter),
		sdk.WithSampler(sampler),
		sdk.WithIDGenerator(ids{}),
		sdk.WithResource(resource.NewSchemaless(semconv.ServiceName("parley"), semconv.ServiceVersion(version))),
	)
	return &Tracing{provider: provider, tracer: provider.Tracer("parley")}
}

// patient logs once when the collector becomes unavailable and once when it is available again, instead of at each
// batch.
type patient struct {
	sdk.SpanExporter
	log  *slog.Logger
	away atomic.Bool
}

func (p *patient) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := p.SpanExporter.ExportSpans(ctx, spans)
	if was := p.away.Swap(err != nil); err != nil && !was {
		p.log.Warn("spans are lost: the collector does not take them", "error", err)
	} else if err == nil && was {
		p.log.Info("the collector takes spans again")
	}
	return nil
}

// Extract puts the traceparent of a request (W3C Trace Context) into the context, and returns its trace id; "" if there
// is none. It ignores the flags and the tracestate, which the client controls.
func (t *Tracing) Extract(ctx context.Context, h http.Header) (_ context.Context, traceID string) {
	if t == nil {
		return ctx, ""
	}
	parent := trace.SpanContextFromContext(t.w3c.Extract(ctx, propagation.HeaderCarrier(h)))
	if !parent.IsValid() {
		return ctx, ""
	}
	plain := trace.NewSpanContext(trace.SpanContextConfig{TraceID: parent.TraceID(), SpanID: parent.SpanID(), Remote: true})
	return trace.ContextWithRemoteSpanContext(ctx, plain), parent.TraceID().String()
}

// Start begins a span. end takes the error of the operation, nil if it succeeded. If the context has no span, the new
// span belongs to the trace of the call, as do all spans of that call.
func (t *Tracing) Start(ctx context.Context, name string, attributes map[string]string) (_ context.Context, end func(err error)) {
	if t == nil {
		return ctx, func(error) {}
	}
	c := callctx.From(ctx)
	known := []attribute.KeyValue{attribute.String("parley.trace_id", c.TraceID), attribute.Stringer("parley.operation_id", c.Operation.ID)}
	for key, value := range attributes {
		known = append(known, attribute.String(key, value))
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithAttributes(known...))
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, "failed") // the error may hold what a person wrote: it is in the log
		}
		span.End()
	}
}

// Transport returns a transport that sends the traceparent with each request and creates a span for it; a nil base is
// that of net/http.
func (t *Tracing) Transport(base http.RoundTripper) http.RoundTripper {
	if t == nil {
		return base
	}
	return otelhttp.NewTransport(base, otelhttp.WithTracerProvider(t.provider), otelhttp.WithPropagators(t.w3c))
}

// Provider returns the tracer provider for libraries that create spans themselves; nil if tracing is disabled.
func (t *Tracing) Provider() trace.TracerProvider {
	if t == nil {
		return nil
	}
	return t.provider
}

// Close sends pending spans.
func (t *Tracing) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), exportTimeout)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // a collector that is away keeps nobody from stopping in good order
	return nil
}

// ids creates the ids of spans. The first span of a call has the trace id of the call.
type ids struct{}

func (i ids) NewIDs(ctx context.Context) (traceID trace.TraceID, span trace.SpanID) {
	if c := callctx.From(ctx); c.TraceID != "" {
		return TraceOf(c.TraceID), i.NewSpanID(ctx, traceID)
	}
	_, _ = rand.Read(traceID[:]) // it never fails
	return traceID, i.NewSpanID(ctx, traceID)
}

func (ids) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	_, _ = rand.Read(id[:])
	return id
}

// TraceOf returns the OpenTelemetry trace id for the X-Trace-Id of a call: the same id if it consists of 32 hexadecimal
// digits, else a digest of it.
func TraceOf(id string) trace.TraceID {
	if traceID, err := trace.TraceIDFromHex(id); err == nil {
		return traceID
	}
	digest := sha256.Sum256([]byte(id))
	return trace.TraceID(digest[:16])
}
