package usecases_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/request/fail"
)

// model answers as it is told to.
type model func(ctx context.Context, p ports.Prompt) (domain.Reply, error)

func (model) Name() (provider, name string) { return "test", "test" }
func (m model) Reply(ctx context.Context, p ports.Prompt, _ func(string)) (domain.Reply, error) {
	return m(ctx, p)
}

// turns remembers the turn that was started, and how it failed.
type turns struct {
	ports.Turns
	ports.Leases
	started domain.Turn
	pinned  *domain.Pinned   // of the turn that is started
	asked   domain.ModelName // of the turn that is started
	refused []error          // of each start, the first first; then it succeeds
	busy    uuid.UUID
	freed   bool
	busyErr error
	why     string
	used    domain.Usage
	reply   domain.Reply
}

func (s *turns) Start(_ context.Context, t *domain.Turn) error {
	if len(s.refused) > 0 {
		err := s.refused[0]
		s.refused = s.refused[1:]
		return err
	}
	t.Pinned, t.Asked = s.pinned, s.asked
	s.started = *t
	return nil
}
func (s *turns) Complete(_ context.Context, _ domain.Turn, _ domain.Message, reply domain.Reply) error {
	s.reply = reply
	return nil
}
func (s *turns) Busy(context.Context, uuid.UUID) (uuid.UUID, bool, error) {
	return s.busy, false, s.busyErr
}
func (s *turns) Free(context.Context, uuid.UUID, time.Duration, string) (bool, error) {
	return s.freed, nil
}
func (s *turns) Fail(_ context.Context, _ domain.Turn, reply domain.Reply, why string, _ domain.Failure, _ time.Time) error {
	s.why, s.used, s.reply = why, reply.Usage, reply
	return nil
}

// silent are events that nobody wants.
type silent struct{}

func (silent) TurnCompleted(context.Context, domain.Turn, domain.Message, domain.Reply) error {
	return nil
}
func (silent) TurnFailed(context.Context, domain.Turn, domain.Reply, *fail.Error) error { return nil }
func (silent) ToolCallWaiting(context.Context, domain.Turn, domain.ToolCall) error      { return nil }

// operations runs the steps of an operation without transactions.
type operations struct{ ports.Operations }

func (operations) Run(ctx context.Context, o ports.Operation) (ports.Answer, error) {
	if err := o.Begin(ctx); err != nil {
		return ports.Answer{}, err
	}
	defer o.Ended()
	if err := o.Work(ctx); err != nil {
		return ports.Answer{}, errors.Join(err, o.Fail(ctx, err))
	}
	done, err := o.Finish(ctx)
	return ports.Answer{TurnID: done.Turn.ID, Body: []byte(done.Answer.Content)}, err
}

// live registers attempts that nobody cancels or reads.
type live struct{ ports.Live }

func (live) Begin(ctx context.Context, _ domain.Turn, _ bool) (context.Context, ports.StreamWriter) {
	return ctx, writer{}
}

type writer struct{ ports.StreamWriter }

func (writer) Write(string)                {}
func (writer) Close()                      {}
func (writer) Flush(context.Context) error { return nil }
func (writer) End()                        {}

func take(m model, kept *turns) usecases.TakeTurn {
	return usecases.TakeTurn{Leases: kept, RunTurn: usecases.RunTurn{
		AskModel:   usecases.AskModel{Model: m, Timeout: time.Minute, Now: time.Now},
		Operations: operations{}, Turns: kept, Live: live{}, Events: silent{}, Lease: time.Minute + time.Second,
	}}
}

func TestAModelThatDoesNotAnswerIsADownstreamFailureWithItsTurn(t *testing.T) {
	t.Parallel()
	used := domain.Usage{InputTokens: new(12)}
	broken := errors.New("connection refused by model.internal")
	tests := map[string]model{
		"fails": func(context.Context, ports.Prompt) (domain.Reply, error) {
			return domain.Reply{Content: "half", Usage: used}, broken
		},
		"hangs": func(ctx context.Context, _ ports.Prompt) (domain.Reply, error) {
			<-ctx.Done()
			return domain.Reply{Usage: used}, ctx.Err()
		},
	}
	for name, m := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept := &turns{}
			u := take(m, kept)
			u.Timeout = time.Millisecond
			_, err := u.Do(t.Context(), usecases.NewTurn{Content: "Hi"})
			require.ErrorIs(t, err, ports.ErrModel)
			require.Equal(t, kept.started.ID, fail.From(err).Details["turn_id"])
			require.NotContains(t, fail.From(err).Message, "internal", "the cause is for the record alone")
			require.Contains(t, kept.why, "the model")
			require.Equal(t, used, kept.used, "what it has used is lost")
		})
	}
}

func TestWhatSettingsAndLimitsDoNotAllowIsToldAsSuch(t *testing.T) {
	t.Parallel()
	for _, told := range []*fail.Error{
		ports.ErrModelNotAllowed.With("model", "openai/x"), fail.ErrLimitReached.With("metric", "cost_micros"), ports.ErrModelCredentials, ports.ErrModelUnknown,
		ports.ErrModelQuota, ports.ErrModelRejected, ports.ErrContentFiltered, ports.ErrContextTooLong, ports.ErrEmptyAnswer, ports.ErrModelNotConfigured,
	} {
		kept := &turns{}
		_, err := take(func(context.Context, ports.Prompt) (domain.Reply, error) {
			return domain.Reply{}, fmt.Errorf("openai/x: %w", told)
		}, kept).Do(t.Context(), usecases.NewTurn{Content: "Hi"})
		require.ErrorIs(t, err, told)
		seen := fail.From(err)
		require.Equal(t, []any{told.Code, told.Message, told.Kind, kept.started.ID}, []any{seen.Code, seen.Message, seen.Kind, seen.Details["turn_id"]})
		require.Zero(t, seen.RetryAfter, "it would be the same")
	}
}

func TestAnAnswerWithoutTextIsNoneThatMayComeLater(t *testing.T) {
	t.Parallel()
	kept := &turns{asked: domain.ModelName{Provider: "openai", Name: "m"}}
	_, err := take(func(context.Context, ports.Prompt) (domain.Reply, error) {
		return domain.Reply{Content: "\x00", Usage: domain.Usage{InputTokens: new(12)}}, nil
	}, kept).Do(t.Context(), usecases.NewTurn{Content: "Hi"})
	require.ErrorIs(t, err, ports.ErrEmptyAnswer)
	require.Equal(t, []string{"openai", "m"}, []string{kept.reply.Provider, kept.reply.Model}, "whom it was asked of is lost")
	require.Equal(t, 12, *kept.used.InputTokens)
}

func TestTheModelIsAskedWhatWasSaidOfTheVersionThatWasPinned(t *testing.T) {
	t.Parallel()
	pinned := &domain.Pinned{Version: 3}
	kept := &turns{pinned: pinned}
	var asked ports.Prompt
	u := take(func(ctx context.Context, p ports.Prompt) (domain.Reply, error) {
		_, bounded := ctx.Deadline()
		require.True(t, bounded, "a model without a deadline")
		asked = p
		return domain.Reply{Content: "Hello"}, nil
	}, kept)
	answer, err := u.Do(t.Context(), usecases.NewTurn{Content: "Hi"})
	require.NoError(t, err)
	turn := kept.started
	require.Greater(t, turn.LeaseUntil.Sub(turn.StartedAt), u.Timeout, "the lease runs out while the model may still answer")
	require.Equal(t, "Hello", kept.reply.Content)
	require.Equal(t, ports.Answer{TurnID: turn.ID, Body: []byte("Hello")}, answer)
	require.Equal(t, ports.Prompt{TurnID: turn.ID, Attempt: 1, Pinned: pinned, Content: "Hi"}, asked)
}

func TestAnEmptyMessageIsAWrongField(t *testing.T) {
	t.Parallel()
	_, err := take(nil, &turns{}).Do(t.Context(), usecases.NewTurn{})
	require.ErrorIs(t, err, fail.ErrValidation)
	require.Equal(t, "content", fail.From(err).Details["errors"].([]fail.Field)[0].Field)
}

func TestABusyThreadSaysWhichTurnRunsOrIsFreed(t *testing.T) {
	t.Parallel()
	active, lost := uuid.New(), errors.New("lost")
	answers := func(context.Context, ports.Prompt) (domain.Reply, error) { return domain.Reply{Content: "Hello"}, nil }
	try := func(kept *turns) error {
		kept.refused = []error{ports.ErrThreadBusy}
		_, err := take(answers, kept).Do(t.Context(), usecases.NewTurn{Content: "Hi"})
		return err
	}
	err := try(&turns{busy: active})
	require.ErrorIs(t, err, ports.ErrThreadBusy)
	require.Equal(t, active, fail.From(err).Details["active_turn_id"])
	require.Positive(t, fail.From(err).RetryAfter)
	require.ErrorIs(t, try(&turns{busyErr: lost}), lost)
	require.NoError(t, try(&turns{busy: active, freed: true}), "its lease has run out")
	require.NoError(t, try(&turns{}), "it has just ended")
}
