package telemetry

import (
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is a registry of metrics for Prometheus, which are read at each scrape. No label has a value that a tenant
// chooses, so that the number of series is bounded.
type Metrics struct {
	registry *prometheus.Registry
	names    []string
}

// NewMetrics returns Metrics with the metrics of the Go runtime and of the process.
func NewMetrics() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler returns an HTTP handler that writes the metrics in the format that the client asks for.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Names returns the names of the registered metrics, including those that have counted nothing yet.
func (m *Metrics) Names() []string { return m.names }

// called records the name of a metric, and returns its full name.
func (m *Metrics) called(f Family) string {
	m.names = append(m.names, prefix+f.Name)
	return prefix + f.Name
}

// Sample is a value with the values of its labels.
type Sample struct {
	Labels []string
	Value  float64
}

// Family is a metric: its name without the prefix parley_, and the names of its labels.
type Family struct {
	Name, Help string
	Labels     []string
	// Known are values of each label. A counter starts at 0 for every combination of them, so that an alert on its
	// growth detects the first event too. Nil: a combination starts with its first event.
	Known [][]string
}

// Gauge registers a metric that rises and falls; read returns its samples, or none if they are unavailable.
func (m *Metrics) Gauge(f Family, read func() []Sample) {
	m.add(prometheus.GaugeValue, func() [][]Sample { return [][]Sample{read()} }, f)
}

// Gauges registers metrics that are read together: read returns the samples of each, in the order of families, or
// nothing.
func (m *Metrics) Gauges(read func() [][]Sample, families ...Family) {
	m.add(prometheus.GaugeValue, read, families...)
}

// Counter registers a metric that only grows while the process lives.
func (m *Metrics) Counter(f Family, read func() []Sample) {
	m.add(prometheus.CounterValue, func() [][]Sample { return [][]Sample{read()} }, f)
}

// Count registers a counter. The returned function adds n to it, for the values of the labels.
func (m *Metrics) Count(f Family) func(n float64, labels ...string) {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.called(f), Help: f.Help}, f.Labels)
	m.registry.MustRegister(c)
	for _, labels := range combinations(f.Known) {
		c.WithLabelValues(labels...)
	}
	return func(n float64, labels ...string) { c.WithLabelValues(labels...).Add(n) }
}

// combinations returns every way to take one value of each label; none for nil.
func combinations(values [][]string) [][]string {
	if values == nil {
		return nil
	}
	all := [][]string{nil}
	for _, of := range values {
		var longer [][]string
		for _, labels := range all {
			for _, v := range of {
				longer = append(longer, append(slices.Clone(labels), v))
			}
		}
		all = longer
	}
	return all
}

// Time registers a histogram of durations, in seconds. The returned function records a duration for the values of the
// labels.
func (m *Metrics) Time(f Family) func(took time.Duration, labels ...string) {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: m.called(f), Help: f.Help, Buckets: bounds()}, f.Labels)
	m.registry.MustRegister(h)
	return func(took time.Duration, labels ...string) { h.WithLabelValues(labels...).Observe(took.Seconds()) }
}

// bounds are those of the buckets, from what a read takes to what a model may.
func bounds() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
}

const prefix = "parley_"

func (m *Metrics) add(kind prometheus.ValueType, read func() [][]Sample, families ...Family) {
	descs := make([]*prometheus.Desc, len(families))
	for i, f := range families {
		descs[i] = prometheus.NewDesc(m.called(f), f.Help, f.Labels, nil)
	}
	m.registry.MustRegister(asked{descs, kind, read})
}

// asked is a collector of metrics that are read at each scrape.
type asked struct {
	descs []*prometheus.Desc
	kind  prometheus.ValueType
	read  func() [][]Sample
}

func (a asked) Describe(out chan<- *prometheus.Desc) {
	for _, d := range a.descs {
		out <- d
	}
}

func (a asked) Collect(out chan<- prometheus.Metric) {
	for i, samples := range a.read() {
		for _, s := range samples {
			out <- prometheus.MustNewConstMetric(a.descs[i], a.kind, s.Value, s.Labels...)
		}
	}
}
