package main

import (
	"context"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// sample is what one side did in one round.
type sample struct {
	perSecond float64
	requests  float64
	latencies []time.Duration // of every request; ours only
	used      usage
	resident  int64 // bytes of memory that the program had at the most; ours only
}

// The phases of a round.
const (
	warming = iota
	measuring
	over
)

// warmUp runs before the measuring: connections, caches and the processor's clock find their pace.
const warmUp = 500 * time.Millisecond

// caller makes its next request over a connection and reads the response.
type caller func(*connection) error

// callersFor returns callers that repeat a call. A call that changes something has a new random operation id each time,
// like a call of a client that may have to repeat it.
func callersFor(call hotCall, targets []target) []caller {
	return callersOf(targets, func(t target) caller {
		if call.writes {
			return func(c *connection) error { return c.do(call.request(t), nil) }
		}
		request := call.request(t)
		return func(c *connection) error { return c.do(request, nil) }
	})
}

// load makes every caller call repeatedly over a connection of its own, one call at a time, and measures for d. The
// callers share one thread, because further threads would compete for the cores with what is measured.
func load(ctx context.Context, address string, callers []caller, d time.Duration, m meter) (sample, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var phase atomic.Int32
	latencies := make([][]time.Duration, len(callers))
	group, ctx := errgroup.WithContext(ctx)
	for i, call := range callers {
		group.Go(func() error {
			c, err := dial(ctx, address)
			if err != nil {
				return err
			}
			defer c.close()
			if err := c.conn.SetDeadline(time.Now().Add(warmUp + d + callTimeout)); err != nil {
				return err
			}
			for phase.Load() != over {
				start := time.Now()
				if err := call(c); err != nil {
					return err
				}
				if phase.Load() == measuring {
					latencies[i] = append(latencies[i], time.Since(start))
				}
			}
			return nil
		})
	}
	wait(ctx, warmUp)
	before, began := m.read(os.Getpid()), time.Now()
	phase.Store(measuring)
	most := highest(ctx, m.program, d)
	phase.Store(over)
	took, after := time.Since(began), m.read(os.Getpid())
	if err := group.Wait(); err != nil {
		return sample{}, err
	}
	s := sample{used: after.minus(before), resident: most}
	for _, l := range latencies {
		s.latencies = append(s.latencies, l...)
	}
	s.requests = float64(len(s.latencies))
	s.perSecond = s.requests / took.Seconds()
	return s, nil
}

// wait returns after d, or when the context ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
