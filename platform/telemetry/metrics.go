package telemetry

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is what a Prometheus may read: numbers that are asked for when it does so. No label has a value that a tenant
// chooses, so that their number is bounded.
type Metrics struct{ registry *prometheus.Registry }

// NewMetrics makes Metrics with those of the Go runtime and of the process.
func NewMetrics() *Metrics {
	m := &Metrics{prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves them in the format that the reader asks for.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Sample is a number with the values of its labels.
type Sample struct {
	Labels []string
	Value  float64
}

// Gauge adds a metric that goes up and down; read gives its samples, or none where they cannot be had.
func (m *Metrics) Gauge(name, help string, labels []string, read func() []Sample) {
	m.add(name, help, labels, prometheus.GaugeValue, read)
}

// Counter adds a metric that only grows while the process lives.
func (m *Metrics) Counter(name, help string, labels []string, read func() []Sample) {
	m.add(name, help, labels, prometheus.CounterValue, read)
}

func (m *Metrics) add(name, help string, labels []string, kind prometheus.ValueType, read func() []Sample) {
	m.registry.MustRegister(asked{prometheus.NewDesc("parley_"+name, help, labels, nil), kind, read})
}

// asked is a metric that is read when it is asked for.
type asked struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func() []Sample
}

// Describe implements prometheus.Collector.
func (a asked) Describe(out chan<- *prometheus.Desc) { out <- a.desc }

// Collect implements prometheus.Collector.
func (a asked) Collect(out chan<- prometheus.Metric) {
	for _, s := range a.read() {
		out <- prometheus.MustNewConstMetric(a.desc, a.kind, s.Value, s.Labels...)
	}
}
