package live

import (
	"context"
	"sync"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

var (
	_ ports.StreamWriter = (*attempt)(nil)
	_ ports.Log          = (*attempt)(nil)
)

// attempt is an attempt at a turn that runs in this process, with the chunks of text that its model has sent.
type attempt struct {
	hub       *Hub
	ctx       context.Context //nolint:containedctx // the life of the attempt
	cancel    context.CancelCauseFunc
	view      domain.TurnView
	operation operation
	streamed  bool

	mu      sync.Mutex
	chunks  []string // only appended to, so that readers need no copy
	stored  int      // chunks that are in the table
	storing storing
	written *sync.Cond  // signaled when storing is no longer writing
	timer   *time.Timer // ends the pause; nil: there was none yet
	closed  bool        // nothing more is stored beside the turn
}

// storing is the state of the chunks that are not in the table yet.
type storing int

const (
	idle    storing = iota // there are none: the next one is queued
	queued                 // they wait for a writer
	writing                // a writer writes them
	paused                 // they wait for the time of the next batch
)

func (a *attempt) Turn() domain.TurnView { return a.view }

func (a *attempt) From(first int) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.chunks[min(first, len(a.chunks)):len(a.chunks):len(a.chunks)]
}

func (a *attempt) Write(text string) {
	if text == "" {
		return
	}
	a.mu.Lock()
	if full := len(a.chunks) == domain.AttemptSpan-maxOtherEvents; full && !a.streamed {
		a.chunks[len(a.chunks)-1] += text
	} else if !full {
		a.chunks = append(a.chunks, text)
	}
	first := a.queue()
	a.mu.Unlock()
	if first {
		a.hub.writes.add(a)
	}
	if a.streamed {
		a.hub.changed(a.view.ID)
	}
}

// queue records that the chunks wait for a writer, and reports whether they must be queued. The caller holds the lock.
func (a *attempt) queue() bool {
	if !a.streamed || a.closed || a.storing != idle || a.stored == len(a.chunks) {
		return false
	}
	a.storing = queued
	return true
}

// maxOtherEvents is the largest number of events of a stream that have no text.
const maxOtherEvents = 10

// store writes chunks into the table while the turn runs: the first one at once, then in batches. Chunks that cannot be
// written now are part of the next batch, and finally of Flush.
func (a *attempt) store() {
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return
	}
	a.storing = writing
	a.mu.Unlock()
	if err := a.storeBatch(); err != nil && a.ctx.Err() == nil {
		a.hub.log.WarnContext(a.ctx, "storing the text of a turn failed; it is tried again", "error", err)
	}
	pause := a.hub.pause()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.storing = paused
	a.written.Broadcast()
	switch {
	case a.closed:
	case a.timer == nil:
		a.timer = time.AfterFunc(pause, a.resume)
	default:
		a.timer.Reset(pause)
	}
}

// resume ends the pause between two batches.
func (a *attempt) resume() {
	a.mu.Lock()
	a.storing = idle
	next := a.queue()
	a.mu.Unlock()
	if next {
		a.hub.writes.add(a)
	}
}

// storeBatch stores the chunks that are not in the table, in a transaction of its own.
func (a *attempt) storeBatch() error {
	first, chunks := a.unstored()
	if len(chunks) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), writeTimeout)
	defer cancel()
	if err := a.hub.chunks.Append(ctx, a.view.ID, a.view.Attempt, first, chunks); err != nil {
		return err
	}
	a.mu.Lock()
	a.stored = first + len(chunks)
	a.mu.Unlock()
	return nil
}

func (a *attempt) unstored() (first int, chunks []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stored, a.chunks[a.stored:len(a.chunks):len(a.chunks)]
}

// Close ends the storing of chunks, and waits for the batch that is being written.
func (a *attempt) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	for a.storing == writing {
		a.written.Wait()
	}
	if a.timer != nil {
		a.timer.Stop()
	}
}

func (a *attempt) Text() string { return domain.TextOf(a.From(0)) }

func (a *attempt) Flush(ctx context.Context) error {
	if !a.streamed {
		return nil
	}
	first, chunks := a.unstored()
	return a.hub.chunks.Append(ctx, a.view.ID, a.view.Attempt, first, chunks)
}

func (a *attempt) End() {
	a.Close()
	a.cancel(nil)
	h := a.hub
	h.mu.Lock()
	if h.running[a.view.ID] == a {
		delete(h.running, a.view.ID)
	}
	if h.under[a.operation] == a.view.ID {
		delete(h.under, a.operation)
	}
	if queue := h.queues[queueKey{a.operation.workspace, a.view.ThreadID}]; len(queue) > 0 {
		poke(queue[0].wake)
	}
	h.mu.Unlock()
	poke(h.ended)
	h.changed(a.view.ID)
}
