package telemetry

import (
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is what a Prometheus may read: numbers that are asked for when it does so. No label has a value that a tenant
// chooses, so that their number is bounded.
type Metrics struct {
	registry *prometheus.Registry
	names    []string
}

// NewMetrics makes Metrics with those of the Go runtime and of the process.
func NewMetrics() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves them in the format that the reader asks for.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Names are those of the metrics that were added, also of those that have counted nothing yet.
func (m *Metrics) Names() []string { return m.names }

// called notes a metric, and gives its whole name.
func (m *Metrics) called(f Family) string {
	m.names = append(m.names, prefix+f.Name)
	return prefix + f.Name
}

// Sample is a number with the values of its labels.
type Sample struct {
	Labels []string
	Value  float64
}

// Family is a metric: its name without the prefix parley_, and the names of its labels.
type Family struct {
	Name, Help string
	Labels     []string
	// Known are values of each label, of which every combination of a counter is there from the start, at 0: an alert on its
	// growth then sees the first event too. Nil: a combination begins with its first event.
	Known [][]string
}

// Gauge adds a metric that goes up and down; read gives its samples, or none where they cannot be had.
func (m *Metrics) Gauge(f Family, read func() []Sample) {
	m.add(prometheus.GaugeValue, func() [][]Sample { return [][]Sample{read()} }, f)
}

// Gauges adds metrics that are found out together: read gives the samples of each, in their order, or nothing.
func (m *Metrics) Gauges(read func() [][]Sample, families ...Family) {
	m.add(prometheus.GaugeValue, read, families...)
}

// Counter adds a metric that only grows while the process lives.
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

// Time adds a histogram of how long something took, in seconds; what it gives takes the values of the labels too.
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

// asked are metrics that are read when they are asked for.
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
