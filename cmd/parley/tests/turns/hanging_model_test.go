package turns

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/guarded"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/resilience"
)

// hanging is a model that never answers.
type hanging struct{ asked int }

func (*hanging) Name() (provider, model string) { return "hanging", "hanging" }

func (h *hanging) Reply(ctx context.Context, _ ports.Prompt, _ func(string)) (domain.Reply, error) {
	h.asked++
	<-ctx.Done()
	return domain.Reply{}, ctx.Err()
}

// The turn and what guards its model have the same time-out, as in mountConversations.
func TestAModelThatHangsOpensItsBreakerAndTurnsSayWhenToComeBack(t *testing.T) {
	t.Parallel()
	const timeout = 20 * time.Millisecond
	model := &hanging{}
	guard := guarded.Model{Model: model, Group: resilience.NewGroup("model", resilience.Policy{
		Timeout: timeout, Concurrency: 1, Failures: 2, OpenFor: time.Hour,
	}, slog.New(slog.DiscardHandler))}
	turn := usecases.AskModel{Model: guard, Timeout: timeout, Now: time.Now}
	for range 2 {
		require.Zero(t, guard.Away(t.Context(), "", false))
		_, err := turn.Ask(t.Context(), domain.Turn{}, func(string) {})
		require.ErrorIs(t, err, ports.ErrModel)
		require.Equal(t, time.Second, fail.From(err).RetryAfter)
	}
	require.InDelta(t, time.Hour, guard.Away(t.Context(), "", false), float64(time.Minute))
	_, err := turn.Ask(t.Context(), domain.Turn{}, func(string) {})
	require.ErrorIs(t, err, ports.ErrModel)
	require.InDelta(t, time.Hour, fail.From(err).RetryAfter, float64(time.Minute))
	_, refused := resilience.IsRefused(err)
	require.True(t, refused, "whoever takes turns for others can tell that nobody was asked")
	require.Equal(t, 2, model.asked)
}
