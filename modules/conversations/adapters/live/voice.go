package live

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
)

const (
	batchTime = 100 * time.Millisecond // from one batch of a stream to the next
)

// voice is an attempt that runs here. It implements ports.Voice and ports.Log.
type voice struct {
	hub       *Hub
	ctx       context.Context //nolint:containedctx // the life of the attempt
	cancel    context.CancelCauseFunc
	record    domain.Record
	operation operation
	streamed  bool
	kick      chan struct{} // something was said
	closed    chan struct{} // nothing more will be
	kept      chan struct{} // keep has returned

	mu     sync.Mutex
	said   []string // only appended to, so that readers need no copy
	stored int      // pieces that are kept in the table
}

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
	v.mu.Unlock()
	if v.streamed {
		poke(v.kick)
		v.hub.changed(v.record.ID)
	}
}

// mostEvents is how many events of a stream are none of text, at the most.
const mostEvents = 10

// keep writes what is said into the table, the first piece at once and then in batches, beside the turn. What it cannot
// write now is part of the next batch, and at last of Rest.
func (v *voice) keep() {
	defer close(v.kept)
	for {
		select {
		case <-v.kick:
		case <-v.closed:
			return
		}
		select {
		case v.hub.keeping <- struct{}{}:
		case <-v.closed:
			return
		}
		err := v.write()
		<-v.hub.keeping
		if err != nil && v.ctx.Err() == nil {
			v.hub.log.WarnContext(v.ctx, "what a turn says is not kept yet; it is tried again", "error", err)
			poke(v.kick)
		}
		pause := time.NewTimer(batchTime)
		select {
		case <-pause.C:
		case <-v.closed:
			pause.Stop()
			return
		}
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

// Close implements ports.Voice.
func (v *voice) Close() {
	select {
	case <-v.closed:
	default:
		close(v.closed)
	}
	if v.streamed {
		<-v.kept
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
