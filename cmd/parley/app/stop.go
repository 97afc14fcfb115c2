package app

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
	cut     func()          // cuts the turns short that run after the grace
	log     *slog.Logger
}

// until serves until the context ends. Then /readyz is 503 and everything is served for the delay, so that load balancers
// take the process out. After that no call is accepted, and those that run, and turns that outlive theirs, have the grace. Turns
// that run after it are cut short, for other processes to go on with.
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
	s.cut() // other processes go on with the turns that run still, and their calls are answered so
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastAnswers)
	defer cancel()
	if err := s.server.Shutdown(last); err != nil {
		s.log.Warn("requests were cut off", "error", err)
		_ = s.server.Close() // what is cut off rolls back
	}
	return cause
}

// lastAnswers is how long the answers may take of calls whose turns were cut short.
const lastAnswers = time.Second
