package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/request/gateway"
)

// operatorConnections is how many connections METRICS_ADDR accepts at once.
const operatorConnections = 8

// operatorPages is the server at METRICS_ADDR for servers and workers: /metrics, /healthz, /readyz and profiles. Its
// health pages also respond while the program starts, and while HTTP_ADDR has no room for another connection.
type operatorPages struct {
	starting gateway.Starting
	server   *http.Server
}

// serveOperatorPages listens at METRICS_ADDR until it is closed. Without METRICS_ADDR it listens nowhere.
func serveOperatorPages(ctx context.Context, cfg *config.Config, drain *gateway.Drain, log *slog.Logger) (*operatorPages, error) {
	pages := &operatorPages{}
	pages.server = &http.Server{
		Handler: drain.Wrap(&pages.starting), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 2 * time.Minute, // a profile takes 30 seconds
		IdleTimeout:  2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
	if cfg.MetricsAddr == "" {
		return pages, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.MetricsAddr)
	if err != nil {
		return nil, fmt.Errorf("METRICS_ADDR: should be an address that is free: %w", err)
	}
	log.Info("metrics", "address", "http://"+listener.Addr().String()+"/metrics")
	go func() { _ = pages.server.Serve(gateway.BoundConnections(listener, operatorConnections, log)) }() // it ends when the server is closed
	return pages, nil
}

// ready adds the pages that need a started program.
func (o *operatorPages) ready(checks []gateway.Check, outside []gateway.Outside, metrics http.Handler, profiles bool) {
	mux := http.NewServeMux()
	live, ready := gateway.Health(checks, outside)
	mux.Handle("GET /healthz", live)
	mux.Handle("GET /readyz", ready)
	mux.Handle("GET /metrics", metrics)
	if profiles {
		addProfiles(mux)
	}
	o.starting.Ready(mux)
}
