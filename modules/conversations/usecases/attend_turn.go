package usecases

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/callctx"
)

// AttendTurn cancels a turn without a thread when its client has been gone for Grace, unless the client has sent the call
// again, to any process: nobody would ever read the answer. A turn in a thread is not attended and goes on.
type AttendTurn struct {
	Readers ports.Readers
	Cancel  CancelTurn
	Grace   time.Duration   // after the client has gone
	Stop    <-chan struct{} // closed when the process stops
	Log     *slog.Logger
}

const (
	firstMark    = time.Second // after the begin of a call, so that short calls need no mark
	markInterval = 5 * time.Second
	markFor      = 12 * time.Second // longer than the interval, by the time that a busy database needs, and shorter than Grace
	markTimeout  = 5 * time.Second
	confirmAfter = 2 * time.Second // between the two looks before a turn is cancelled: longer than firstMark
)

// Do runs a call that takes or reads the turn of the caller's operation. The context ends when the client goes away. Do
// returns after run, and where the client has gone when the turn has ended or has another reader.
func (u AttendTurn) Do(ctx context.Context, run func() error) error {
	over := make(chan struct{})
	var attending sync.WaitGroup
	attending.Go(func() { u.attend(ctx, over) })
	defer attending.Wait()
	defer close(over)
	return run()
}

// attend marks the turn as read until the call is over or its client has gone.
func (u AttendTurn) attend(ctx context.Context, over <-chan struct{}) {
	timer := time.NewTimer(firstMark)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), context.Canceled) {
				u.leave(callctx.Trusted(context.WithoutCancel(ctx)), over)
			}
			return
		case <-over:
			if ctx.Err() == nil {
				return
			}
		case <-timer.C:
			u.mark(ctx)
			timer.Reset(markInterval)
		}
	}
}

func (u AttendTurn) mark(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, markTimeout)
	defer cancel()
	if err := u.Readers.Read(ctx, markFor); err != nil && ctx.Err() == nil {
		u.Log.WarnContext(ctx, "the reader of a turn could not be marked", "error", err)
	}
}

// leave cancels the turn of a client that has gone, after Grace, unless it has ended or is read again.
func (u AttendTurn) leave(ctx context.Context, over <-chan struct{}) {
	if !u.wait(ctx, u.Grace, over) {
		return
	}
	if now, err := u.Readers.Reader(ctx); err == nil && (now.Turn == uuid.Nil || now.Read) {
		return
	}
	if !u.wait(ctx, confirmAfter, over) {
		return
	}
	now, err := u.Readers.Reader(ctx)
	if err == nil && now.Turn != uuid.Nil && !now.Read {
		err = u.cancelLeft(ctx, now)
	}
	if err != nil {
		u.Log.WarnContext(ctx, "a turn whose client has gone could not be cancelled", "turn", now.Turn, "error", err)
	}
}

// leaving returns the operation that cancels a turn whose client has gone. It is the same in all processes.
func leaving(turn uuid.UUID) uuid.UUID { return uuid.NewSHA1(turn, []byte("the client has gone")) }

// Left reports whether the turn of the caller's operation was cancelled because its client had gone. The same call sent
// again then begins anew.
func (u AttendTurn) Left(ctx context.Context) (bool, error) {
	turn, operation, err := u.Readers.Canceller(ctx)
	return err == nil && turn != uuid.Nil && operation == leaving(turn), err
}

// Resume runs another attempt at the turn of the caller's operation, which its process has left. A turn that only readers keep running waits for
// one before the attempt, and is cancelled where none has come in Grace, before the attempt or in it. A client that sends its call again
// makes an attempt of its own.
func (u AttendTurn) Resume(ctx context.Context, attempt func() error) error {
	now, err := u.Readers.Attendance(ctx)
	switch {
	case err != nil:
		return err
	case now.Turn == uuid.Nil:
		return attempt()
	case !now.Read && now.Unread < u.Grace:
		return nil // it is found again
	case !now.Read:
		u.Cancel.Timeout = 0 // its process does not respond
		return u.cancelLeft(ctx, now.ReadTurn)
	}
	over := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { u.cancelUnread(ctx, over) })
	defer watching.Wait()
	defer close(over)
	return attempt()
}

// cancelUnread cancels the turn of an attempt that nobody reads after Grace. A reader that leaves later is seen by its own process.
func (u AttendTurn) cancelUnread(ctx context.Context, over <-chan struct{}) {
	timer := time.NewTimer(u.Grace)
	defer timer.Stop()
	select {
	case <-over:
		return
	case <-u.Stop:
		return
	case <-timer.C:
	}
	now, err := u.Readers.Reader(ctx)
	if err == nil && now.Turn != uuid.Nil && !now.Read {
		err = u.cancelLeft(ctx, now)
	}
	if err != nil {
		u.Log.WarnContext(ctx, "a turn whose client has gone could not be cancelled", "turn", now.Turn, "error", err)
	}
}

// cancelLeft cancels a turn whose client has gone, unless it has ended.
func (u AttendTurn) cancelLeft(ctx context.Context, t ports.ReadTurn) error {
	_, err := u.Cancel.Do(callctx.Named(ctx, leaving(t.Turn)), t.Thread, t.Turn)
	if errors.Is(err, ports.ErrTurnEnded) {
		return nil
	}
	return err
}

// wait waits, and reports false where the turn ends meanwhile or the process stops.
func (u AttendTurn) wait(ctx context.Context, d time.Duration, over <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return true
		case <-u.Stop:
			return false
		case <-over: // the turn has ended, or it runs in another process
			over = nil
			if now, err := u.Readers.Reader(ctx); err == nil && now.Turn == uuid.Nil {
				return false
			}
		}
	}
}
