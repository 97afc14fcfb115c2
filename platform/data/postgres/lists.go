package postgres

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"

	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// Bounds of reads that may be slow.
const (
	listTimeout   = 5 * time.Second  // of one statement of a list, in the database
	reportTimeout = 30 * time.Second // of one statement of a report
	slowReadWait  = 2 * time.Second  // how long a read waits for its turn before it is refused
	slowReadTime  = time.Second      // what a read takes that is slow
	slowFor       = time.Minute      // how long its workspace then reads in the slow lane
	maxSlowReads  = 32               // reads of a workspace that run or wait; more are refused at once
	maxRemembered = 1000             // workspaces, before those that are slow no longer are looked for
)

// InList is In for a list that callers may filter. Its statement is planned for the given filters and has a timeout of
// five seconds, after which the error is fail.ErrTooBroad. Such reads hold at most half of the connections. One half of
// these is for workspaces whose reads were slow recently, the other half for all other workspaces. One workspace takes
// at most half of either. Further reads wait a little, and then return fail.ErrTooManyReads.
func (db *DB) InList(ctx context.Context) Conn { return db.inSlow(ctx, listTimeout, true) }

// InReport is InList for a read that has to scan much data and that no filter could narrow: its statements have a
// timeout of thirty seconds.
func (db *DB) InReport(ctx context.Context) Conn { return db.inSlow(ctx, reportTimeout, false) }

func (db *DB) inSlow(ctx context.Context, timeout time.Duration, filtered bool) Conn {
	if t, ok := ctx.Value(txKey{}).(*tx); ok {
		return t
	}
	return reader{db: db, slow: &slowRead{timeout: timeout, filtered: filtered}}
}

// slowRead says what holds for a read that may be slow.
type slowRead struct {
	timeout  time.Duration // of its statement
	filtered bool          // callers choose its filters, so it may be they who asked for too much
}

// lane is a share of the connections.
type lane int

// A workspace reads in the quick lane until one of its reads is slow, and then for a while in the slow lane. Workspaces
// with slow reads therefore delay only each other.
const (
	quickLane lane = iota
	slowLane
)

// slowReads bounds how many reads that may be slow run at once, in all and for each workspace. It is safe for concurrent use.
type slowReads struct {
	all  [2]*semaphore.Weighted // by lane
	each [2]int64               // of one workspace at once, by lane
	wait time.Duration          // before a read is refused
	slow time.Duration          // what a read takes that is slow

	mu         sync.Mutex
	workspaces map[uuid.UUID]*workspaceReads // those that have any, or had slow ones
}

// workspaceReads are those of one workspace.
type workspaceReads struct {
	turns     [2]*semaphore.Weighted // by lane
	reads     int                    // that run or wait
	slowUntil time.Time              // it reads in the slow lane
}

// newSlowReads returns the slowReads of a pool with that many connections.
func newSlowReads(connections int32) *slowReads {
	s := &slowReads{wait: slowReadWait, slow: slowReadTime, workspaces: map[uuid.UUID]*workspaceReads{}}
	half := max(1, int64(connections)/2)
	if half == 1 {
		only := semaphore.NewWeighted(1)
		s.all, s.each = [2]*semaphore.Weighted{only, only}, [2]int64{1, 1}
		return s
	}
	for l, size := range [2]int64{half - half/2, half / 2} {
		s.all[l], s.each[l] = semaphore.NewWeighted(size), (size+1)/2
	}
	return s
}

// begin waits for the turn of a read. Its end must be called once when the read is over.
func (s *slowReads) begin(ctx context.Context) (end func(), err error) {
	workspace := callctx.From(ctx).Principal.WorkspaceID
	own, at, ok := s.join(workspace)
	if !ok {
		return nil, fail.ErrTooManyReads
	}
	waiting, cancel := context.WithTimeoutCause(ctx, s.wait, errWaitedLong)
	defer cancel()
	if err := own.turns[at].Acquire(waiting, 1); err != nil {
		s.leave(workspace, 0)
		return nil, notInTime(waiting)
	}
	if err := s.all[at].Acquire(waiting, 1); err != nil {
		own.turns[at].Release(1)
		s.leave(workspace, 0)
		return nil, notInTime(waiting)
	}
	begun := time.Now()
	return func() {
		s.all[at].Release(1)
		own.turns[at].Release(1)
		s.leave(workspace, time.Since(begun))
	}, nil
}

// errWaitedLong says that a read has waited as long as it may.
var errWaitedLong = errors.New("postgres: too many slow reads at once")

func notInTime(waiting context.Context) error {
	if errors.Is(context.Cause(waiting), errWaitedLong) {
		return fail.ErrTooManyReads
	}
	return translate(waiting.Err()) // the caller's own time is over
}

// join counts a read in and says in which lane it runs; false where its workspace has too many.
func (s *slowReads) join(workspace uuid.UUID) (own *workspaceReads, at lane, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if own = s.workspaces[workspace]; own == nil {
		s.forget()
		own = &workspaceReads{turns: [2]*semaphore.Weighted{semaphore.NewWeighted(s.each[quickLane]), semaphore.NewWeighted(s.each[slowLane])}}
		s.workspaces[workspace] = own
	}
	if own.reads == maxSlowReads {
		return nil, quickLane, false
	}
	own.reads++
	if time.Now().Before(own.slowUntil) {
		at = slowLane
	}
	return own, at, true
}

// leave counts out a read that has taken so long.
func (s *slowReads) leave(workspace uuid.UUID, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own, now := s.workspaces[workspace], time.Now()
	own.reads--
	if took >= s.slow {
		own.slowUntil = now.Add(slowFor)
	}
	if own.reads == 0 && !now.Before(own.slowUntil) {
		delete(s.workspaces, workspace)
	}
}

// forget drops workspaces that are slow no longer, where many are remembered.
func (s *slowReads) forget() {
	if len(s.workspaces) < maxRemembered {
		return
	}
	now := time.Now()
	maps.DeleteFunc(s.workspaces, func(_ uuid.UUID, own *workspaceReads) bool { return own.reads == 0 && !now.Before(own.slowUntil) })
}
