package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/parley/parley/platform/jobs"
	"github.com/parley/parley/platform/resilience"
	"github.com/parley/parley/platform/telemetry"
)

// scrapePatience is how long counting for one reading of the metrics may take.
const scrapePatience = 2 * time.Second

// serveMetrics serves /metrics on an address of its own until the platform closes. It returns where.
func (p *platform) serveMetrics(ctx context.Context) (address string, err error) {
	if p.cfg.MetricsAddr == "" {
		return "", nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.cfg.MetricsAddr)
	if err != nil {
		return "", fmt.Errorf("METRICS_ADDR: should be an address that is free: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", p.metrics().Handler())
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
	p.closers = append(p.closers, server.Close)
	go func() { _ = server.Serve(listener) }() // it ends when the server is closed
	return listener.Addr().String(), nil
}

// metrics are what this process can count.
func (p *platform) metrics() *telemetry.Metrics {
	m := telemetry.NewMetrics()
	m.Gauge("breakers", "targets outside, by the state of their circuit breakers", []string{"group", "state"}, func() []telemetry.Sample {
		return overGroups(p.groups(), func(g *resilience.Group) map[string]float64 {
			states := map[string]float64{}
			for state, n := range g.States() {
				states[state] = float64(n)
			}
			return states
		})
	})
	m.Counter("downstream_calls_total", "calls to the outside, by what came of them", []string{"group", "outcome"}, func() []telemetry.Sample {
		return overGroups(p.groups(), func(g *resilience.Group) map[string]float64 {
			c := g.Counts()
			return map[string]float64{
				"ok": float64(c.OK.Load()), "failed": float64(c.Failed.Load()), "refused": float64(c.Refused.Load()),
				"canceled": float64(c.Canceled.Load()),
			}
		})
	})
	m.Gauge("jobs", "jobs of all workspaces that are not done, and dead letters", []string{"state"}, func() []telemetry.Sample {
		return p.depth(func(d jobs.Depth) []telemetry.Sample {
			return []telemetry.Sample{
				{Labels: []string{"queued"}, Value: float64(d.Queued)}, {Labels: []string{"running"}, Value: float64(d.Running)},
				{Labels: []string{"dead"}, Value: float64(d.Dead)},
			}
		})
	})
	m.Gauge("jobs_oldest_seconds", "how long the job that is due for longest has waited", nil, func() []telemetry.Sample {
		return p.depth(func(d jobs.Depth) []telemetry.Sample { return []telemetry.Sample{{Value: d.Oldest.Seconds()}} })
	})
	return m
}

// depth gives samples of the queue; none while the database is away.
func (p *platform) depth(of func(jobs.Depth) []telemetry.Sample) []telemetry.Sample {
	ctx, cancel := context.WithTimeout(context.Background(), scrapePatience)
	defer cancel()
	d, err := p.jobs.Depth(ctx)
	if err != nil {
		p.log.Warn("the queue was not counted for the metrics", "error", err)
		return nil
	}
	return of(d)
}

// groups are the calls to the outside.
func (p *platform) groups() []*resilience.Group {
	groups := []*resilience.Group{p.targets, p.models}
	if p.store != nil {
		groups = append(groups, p.store)
	}
	return groups
}

func overGroups(groups []*resilience.Group, read func(*resilience.Group) map[string]float64) (samples []telemetry.Sample) {
	for _, g := range groups {
		for label, n := range read(g) {
			samples = append(samples, telemetry.Sample{Labels: []string{g.Name(), label}, Value: n})
		}
	}
	return samples
}
