package live_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/live"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/callctx"
)

// table keeps chunks as Postgres does: a batch that comes again takes the place of the first.
type table struct {
	ports.Chunks
	mu      sync.Mutex
	batches map[int][]string
	writes  int
	err     error
	hold    chan struct{} // nil: nothing is held up

	calls, most int // of Append at once: now, and at most
}

func (p *table) count(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls += n
	p.most = max(p.most, p.calls)
}

func (p *table) Append(_ context.Context, _ uuid.UUID, _, first int, chunks []string) error {
	p.count(1)
	defer p.count(-1)
	if p.hold != nil {
		<-p.hold
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes++
	if len(chunks) > 0 {
		p.batches[first] = chunks // also where an error follows: its commit may have come through
	}
	return p.err
}

func (p *table) text() (text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at := 0; ; {
		batch, ok := p.batches[at]
		if !ok {
			return text
		}
		for _, chunk := range batch {
			text += chunk
		}
		at += len(batch)
	}
}

// wishes says which attempts are wanted to be cancelled.
type wishes struct {
	ports.Cancels
	all bool
}

func (w wishes) Requested(context.Context, uuid.UUID, int) (bool, error) { return w.all, nil }

func hub(p *table, w wishes) *live.Hub {
	p.batches = map[int][]string{}
	return live.NewHub(p, w, slog.New(slog.DiscardHandler))
}

func turn() domain.Turn { return domain.Turn{ID: uuid.New(), ThreadID: uuid.New(), Attempt: 1} }

const patient = 10 * time.Second

func cancelled(ctx context.Context) func() bool {
	return func() bool { return errors.Is(context.Cause(ctx), ports.ErrCancel) }
}

func TestWhatAStreamSaysIsKeptWholeThoughTheTableFailsOrIsSlow(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*table{"as it should": {}, "every write fails, or seems to": {err: errors.New("lost")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := hub(p, wishes{})
			_, writer := h.Begin(t.Context(), turn(), true)
			writer.Write("a")
			require.Eventually(t, func() bool { return p.text() == "a" }, patient, time.Millisecond, "the first chunk waits")
			writer.Write("b")
			writer.Write("c")
			writer.Close()
			_ = writer.Flush(t.Context())
			require.Equal(t, "abc", p.text())
			require.Equal(t, "abc", writer.Text())
			writer.End()
		})
	}
}

func TestATableThatHangsKeepsNobodyFromSpeakingOrReading(t *testing.T) {
	t.Parallel()
	p := &table{hold: make(chan struct{})}
	h := hub(p, wishes{})
	one := turn()
	_, writer := h.Begin(t.Context(), one, true)
	for range 1000 {
		writer.Write("x")
	}
	require.Len(t, h.Streaming(one.ID).From(0), 1000)
	close(p.hold)
	writer.End()
	require.Nil(t, h.Streaming(one.ID))
}

// However many streams there are, a few goroutines store what they say, so that they take neither all connections nor much memory.
func TestManyStreamsAreStoredByFewWriters(t *testing.T) {
	t.Parallel()
	const streams = 200
	p := &table{hold: make(chan struct{})}
	h := hub(p, wishes{})
	before := runtime.NumGoroutine()
	voices := make([]ports.StreamWriter, streams)
	for i := range voices {
		ctx := callctx.With(t.Context(), &callctx.Call{Operation: callctx.Operation{ID: uuid.New()}})
		_, voices[i] = h.Begin(ctx, turn(), true)
		voices[i].Write("a")
	}
	require.Less(t, runtime.NumGoroutine()-before, streams/2)
	close(p.hold)
	require.Eventually(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.writes == streams
	}, patient, time.Millisecond, "all had their turn")
	require.LessOrEqual(t, p.most, 4, "batches at once")
	for _, writer := range voices {
		writer.End()
	}
}

func TestATurnThatIsNotStreamedKeepsNothingAndCanBeCancelled(t *testing.T) {
	t.Parallel()
	p := &table{}
	h := hub(p, wishes{})
	one := turn()
	ctx, writer := h.Begin(t.Context(), one, false)
	writer.Write("a")
	require.Nil(t, h.Streaming(one.ID))
	h.OnCancelRequested(one.ID.String() + "/2")
	require.NoError(t, ctx.Err(), "another attempt was meant")
	h.OnCancelRequested(one.ID.String() + "/1")
	require.True(t, cancelled(ctx)())
	writer.Close()
	require.NoError(t, writer.Flush(t.Context()))
	require.Zero(t, p.writes)
	writer.End()
}

// The notification may come before the attempt has begun here, or be lost with its connection.
func TestACancellationIsNotMissed(t *testing.T) {
	t.Parallel()
	h := hub(&table{}, wishes{})
	early := turn()
	h.OnCancelRequested(early.ID.String() + "/1")
	ctx, writer := h.Begin(t.Context(), early, false)
	require.True(t, cancelled(ctx)())
	writer.End()

	h = hub(&table{}, wishes{all: true})
	ctx, writer = h.Begin(t.Context(), turn(), false)
	require.NoError(t, ctx.Err())
	h.OnCancelRequested("") // connected anew
	require.Eventually(t, cancelled(ctx), patient, time.Millisecond)
	writer.End()
}

func TestAFollowerIsToldOfChangesHereAndElsewhere(t *testing.T) {
	t.Parallel()
	h := hub(&table{}, wishes{})
	here, elsewhere := turn(), uuid.New()
	changed, stop := h.Watch(here.ID)
	defer stop()
	other, stopOther := h.Watch(elsewhere)
	_, writer := h.Begin(t.Context(), here, true)
	<-changed
	writer.Write("a")
	<-changed
	writer.End()
	<-changed
	h.OnTurnChanged(elsewhere.String())
	<-other
	h.OnTurnChanged("") // some were missed
	<-other
	<-changed
	stopOther()
	h.OnTurnChanged(elsewhere.String())
	require.Empty(t, other)
}

func TestTheQueueForAThreadIsInOrderAndBounded(t *testing.T) {
	t.Parallel()
	h := hub(&table{}, wishes{})
	thread := uuid.New()
	places := make([]ports.QueuePlace, 9)
	for i := range places {
		var err error
		places[i], err = h.Enter(t.Context(), thread)
		require.NoError(t, err)
	}
	_, err := h.Enter(t.Context(), thread)
	require.ErrorIs(t, err, ports.ErrThreadBusy)
	_, err = h.Enter(t.Context(), uuid.New())
	require.NoError(t, err, "another thread's queue")
	_, err = h.Enter(callctx.As(t.Context(), uuid.New(), uuid.New()), thread)
	require.NoError(t, err, "the queue of another workspace under the same id")

	require.NoError(t, places[0].Wait(t.Context()), "the first tries at once")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, places[1].Wait(over), "the second has to wait")
	order := make(chan int, len(places))
	for i, p := range places[1:] {
		go func() {
			if p.Wait(t.Context()) == nil {
				order <- i + 1
				p.Leave()
			}
		}()
	}
	places[0].Leave()
	for i := range places[1:] {
		require.Equal(t, i+1, <-order)
	}
	_, err = h.Enter(t.Context(), thread)
	require.NoError(t, err)
}

func TestTheFirstInTheQueueIsWokenByTheEndOfATurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := hub(&table{}, wishes{})
		one := turn()
		_, writer := h.Begin(t.Context(), one, false)
		p, err := h.Enter(t.Context(), one.ThreadID)
		require.NoError(t, err)
		require.NoError(t, p.Wait(t.Context()))
		writer.End()
		began := time.Now()
		require.NoError(t, p.Wait(t.Context()))
		require.Zero(t, time.Since(began))
	})
}
