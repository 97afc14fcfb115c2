package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/parley/parley/platform/request/gateway"
)

var errDatabaseLost = errors.New("the embedded database has ended: see postgres.log under DATA_DIR")

// serving is a running server, and how it stops.
type serving struct {
	server  *http.Server
	ended   <-chan error    // receives why the server has ended by itself
	lost    <-chan struct{} // closed when the embedded database has ended
	drain   *gateway.Drain
	delay   time.Duration   // between the signal and the time when no more calls are accepted
	drained func()          // ends the streams that follow turns of other processes
	grace   time.Duration   // for the calls that still run then
	turns   *sync.WaitGroup // that may outlive their calls
	cut     func()          // stops the turns that still run after the grace period
	log     *slog.Logger
}

// until serves until the context ends. Then /readyz returns 503 and everything is served for the delay, so that load
// balancers remove the process. After that no call is accepted. Running calls, and turns that outlive their calls, have
// the grace period. Turns that still run after it are stopped, and other processes continue them.
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
	done := make(chan struct{})
	go func() {
		defer close(done)
		if s.server.Shutdown(stopping) == nil {
			s.turns.Wait()
		}
	}()
	select {
	case <-done:
	case <-stopping.Done():
	}
	if stopping.Err() == nil {
		return cause
	}
	s.cut() // other processes continue the turns that still run, and the calls of these turns get a response that says so
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastAnswers)
	defer cancel()
	if err := s.server.Shutdown(last); err != nil {
		s.log.Warn("requests were cut off", "error", err)
		_ = s.server.Close() // unfinished transactions roll back
	}
	return cause
}

// lastAnswers is how long the responses to calls whose turns were stopped may take.
const lastAnswers = time.Second
