package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/parley/parley/platform/gateway"
)

var errDatabaseLost = errors.New("the embedded database has ended: see postgres.log under DATA_DIR")

// serving is a server that runs, and how it stops.
type serving struct {
	server  *http.Server
	ended   <-chan error    // receives why the server has ended by itself
	lost    <-chan struct{} // closed when the embedded database has ended
	drain   *gateway.Drain
	delay   time.Duration   // between the signal and the end of accepting calls
	drained func()          // ends the streams that follow turns of other processes
	grace   time.Duration   // for the calls that run then
	turns   *sync.WaitGroup // that may outlive their calls
	log     *slog.Logger
}

// until serves until the context ends. Then /readyz is 503 and everything is served for the delay, so that load balancers
// take the process out. After that no call is accepted, and those that run, and turns that outlive theirs, have the grace.
func (s serving) until(ctx context.Context) error {
	var cause error
	select {
	case err := <-s.ended:
		return fmt.Errorf("serve: %w", err)
	case <-s.lost:
		cause = errDatabaseLost
	case <-ctx.Done():
		s.log.Info("draining", "delay", s.delay)
		s.drain.Begin()
		timer := time.NewTimer(s.delay)
		defer timer.Stop()
		select {
		case err := <-s.ended:
			return fmt.Errorf("serve: %w", err)
		case <-s.lost:
			cause = errDatabaseLost
		case <-timer.C:
		}
	}
	s.drained()
	s.log.Info("stopping", "grace", s.grace)
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.grace)
	defer cancel()
	if err := s.server.Shutdown(stopping); err != nil {
		s.log.Warn("requests were cut off", "error", err)
		_ = s.server.Close() // what is cut off rolls back
	}
	done := make(chan struct{})
	go func() {
		s.turns.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-stopping.Done(): // another process takes up those that run still
	}
	return cause
}
