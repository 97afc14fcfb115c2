package live

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
)

// voice is an attempt that runs here. It implements ports.Voice and ports.Log.
type voice struct {
	hub       *Hub
	ctx       context.Context //nolint:containedctx // the life of the attempt
	cancel    context.CancelCauseFunc
	record    domain.Record
	operation operation
	streamed  bool

	mu      sync.Mutex
	said    []string // only appended to, so that readers need no copy
	stored  int      // pieces that are kept in the table
	storing storing
	written *sync.Cond  // told when storing is writing no more
	timer   *time.Timer // ends the pause; nil: there was none yet
	closed  bool        // nothing more is stored beside the turn
}

// storing says what happens to pieces that are not in the table yet.
type storing int

const (
	idle    storing = iota // there are none: the next one is queued
	queued                 // they wait for a writer
	writing                // a writer is at it
	paused                 // they wait for the time of the next batch
)

// Turn implements ports.Log.
func (v *voice) Turn() domain.Record { return v.record }

// From implements ports.Log.
func (v *voice) From(first int) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.said[min(first, len(v.said)):len(v.said):len(v.said)]
}

// Say implements ports.Voice.
func (v *voice) Say(text string) {
	if text == "" {
		return
	}
	v.mu.Lock()
	if full := len(v.said) == domain.AttemptSpan-mostEvents; full && !v.streamed {
		v.said[len(v.said)-1] += text
	} else if !full {
		v.said = append(v.said, text)
	}
	first := v.queue()
	v.mu.Unlock()
	if first {
		v.hub.writes.add(v)
	}
	if v.streamed {
		v.hub.changed(v.record.ID)
	}
}

// queue notes that the pieces wait for a writer, and reports whether they are to be queued. The lock is held.
func (v *voice) queue() bool {
	if !v.streamed || v.closed || v.storing != idle || v.stored == len(v.said) {
		return false
	}
	v.storing = queued
	return true
}

// mostEvents is how many events of a stream are none of text, at the most.
const mostEvents = 10

// store writes what is said into the table, the first piece at once and then in batches, beside the turn. What it cannot
// write now is part of the next batch, and at last of Rest.
func (v *voice) store() {
	v.mu.Lock()
	if v.closed {
		v.mu.Unlock()
		return
	}
	v.storing = writing
	v.mu.Unlock()
	if err := v.write(); err != nil && v.ctx.Err() == nil {
		v.hub.log.WarnContext(v.ctx, "what a turn says is not kept yet; it is tried again", "error", err)
	}
	pause := v.hub.pause()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.storing = paused
	v.written.Broadcast()
	switch {
	case v.closed:
	case v.timer == nil:
		v.timer = time.AfterFunc(pause, v.resume)
	default:
		v.timer.Reset(pause)
	}
}

// resume ends the pause between two batches.
func (v *voice) resume() {
	v.mu.Lock()
	v.storing = idle
	next := v.queue()
	v.mu.Unlock()
	if next {
		v.hub.writes.add(v)
	}
}

// write keeps what is not kept yet, in a transaction of its own.
func (v *voice) write() error {
	first, pieces := v.rest()
	if len(pieces) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.ctx), writePatience)
	defer cancel()
	if err := v.hub.pieces.Append(ctx, v.record.ID, v.record.Attempt, first, pieces); err != nil {
		return err
	}
	v.mu.Lock()
	v.stored = first + len(pieces)
	v.mu.Unlock()
	return nil
}

func (v *voice) rest() (first int, pieces []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.stored, v.said[v.stored:len(v.said):len(v.said)]
}

// Close ends the storing beside the turn, and waits for the batch that is being written.
func (v *voice) Close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
	for v.storing == writing {
		v.written.Wait()
	}
	if v.timer != nil {
		v.timer.Stop()
	}
}

// Said implements ports.Voice.
func (v *voice) Said() string { return strings.Join(v.From(0), "") }

// Rest implements ports.Voice.
func (v *voice) Rest(ctx context.Context) error {
	if !v.streamed {
		return nil
	}
	first, pieces := v.rest()
	return v.hub.pieces.Append(ctx, v.record.ID, v.record.Attempt, first, pieces)
}

// End implements ports.Voice.
func (v *voice) End() {
	v.Close()
	v.cancel(nil)
	h := v.hub
	h.mu.Lock()
	if h.running[v.record.ID] == v {
		delete(h.running, v.record.ID)
	}
	if h.under[v.operation] == v.record.ID {
		delete(h.under, v.operation)
	}
	if queue := h.queues[queueKey{v.operation.workspace, v.record.ThreadID}]; len(queue) > 0 {
		poke(queue[0].wake)
	}
	h.mu.Unlock()
	poke(h.ended)
	h.changed(v.record.ID)
}
