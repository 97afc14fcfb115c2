package usecases

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/fail"
)

// TakeTurn has a model answer a user's message. It takes two transactions with the model's call between them, which
// holds neither a transaction nor a connection: Begin (or Resume), Ask, then Complete or Fail.
type TakeTurn struct {
	Turns   ports.Turns
	Leases  ports.Leases
	Model   ports.Model
	Events  ports.Events
	Timeout time.Duration // for the model
	Slack   time.Duration // that a turn's lease lasts beyond it, for the second transaction
	Now     func() time.Time
}

const longestReason = 2000 // characters of an error that are kept

// storable leaves out what Postgres cannot hold: NUL and what is not UTF-8. A model may send anything.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
}

// Said is what a user says.
type Said struct {
	ThreadID, ActorID, OperationID uuid.UUID
	Content                        string
}

// Prepare checks what was said, before anything is stored.
func (u TakeTurn) Prepare(in Said) (domain.Turn, error) {
	turn, err := domain.NewTurn(in.ThreadID, in.ActorID, in.OperationID, in.Content, u.Timeout+u.Slack, u.Now())
	if err != nil {
		return turn, wrongContent("content", err)
	}
	return turn, nil
}

// wrongContent says what is wrong with the text of a message.
func wrongContent(field string, err error) error {
	code := "INVALID"
	if errors.Is(err, domain.ErrBlank) {
		code = "BLANK"
	}
	return fail.Fields(fail.Field{Field: field, Code: code, Message: err.Error()})
}

// PrepareEvent is Prepare for the message of an event that is stored: it was checked when it came in.
func (u TakeTurn) PrepareEvent(in Said) domain.Turn {
	return domain.NewTurnOfEvent(in.ThreadID, in.ActorID, in.OperationID, in.Content, u.Timeout+u.Slack, u.Now())
}

// Begin stores the turn with its user message.
func (u TakeTurn) Begin(ctx context.Context, t *domain.Turn) error { return u.Turns.Start(ctx, t) }

// Resume goes on with the turn of an operation that was begun and not finished.
func (u TakeTurn) Resume(ctx context.Context, t *domain.Turn) error {
	resumed, err := u.Turns.Resume(ctx, t.ActorID, t.OperationID, u.Now().Add(u.Timeout+u.Slack))
	if err != nil {
		return err
	}
	*t = *resumed
	return nil
}

// patience is how much longer than Timeout a model is waited for: what guards the model has the same Timeout and is to
// find out first that it hangs, or it would take that for a caller who left.
const patience = 250 * time.Millisecond

// Ask has the model answer, and passes its text on by say while it comes. Where it fails, the error says when to ask again, and
// the reply what was used all the same.
func (u TakeTurn) Ask(ctx context.Context, t domain.Turn, say func(text string)) (domain.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, u.Timeout+patience)
	defer cancel()
	start, first := u.Now(), time.Duration(0)
	reply, err := u.Model.Reply(ctx, promptOf(t), func(text string) {
		if first == 0 {
			first = u.Now().Sub(start)
		}
		say(storable(text))
	})
	reply.Content = storable(reply.Content)
	if err == nil && reply.Content == "" {
		err = ports.ErrEmptyAnswer
	}
	reply.Latency, reply.FirstToken = u.Now().Sub(start), first
	if reply.Provider == "" {
		reply.Provider, reply.Model = t.Asked.Provider, t.Asked.Name
	}
	if err != nil {
		return reply, told(err).With("turn_id", t.ID)
	}
	return reply, nil
}

func promptOf(t domain.Turn) ports.Prompt {
	return ports.Prompt{
		TurnID: t.ID, Attempt: t.Attempt, Limited: t.CostLimited,
		ThreadID: t.ThreadID, Seq: t.User.Seq, Pinned: t.Pinned, Defaults: t.Defaults, Content: t.User.Content,
	}
}

// told is what callers receive of a model's failure. What is not one of ports, or a limit, may pass.
func told(err error) *fail.Error {
	if ports.PermanentModelFailure(err) || errors.Is(err, ports.ErrModel) || errors.Is(err, fail.ErrLimitReached) {
		return fail.From(err)
	}
	return ports.ErrModel.After(max(ports.ErrModel.RetryAfter, fail.From(err).RetryAfter)).Because(err)
}

// Complete stores the answer.
func (u TakeTurn) Complete(ctx context.Context, t domain.Turn, reply domain.Reply) (domain.Message, error) {
	answer := t.Answer(reply.Content, u.Now())
	if err := u.Turns.Complete(ctx, t, answer, reply); err != nil {
		return answer, err
	}
	return answer, u.Events.TurnCompleted(ctx, t, answer, reply)
}

// Fail stores that the model failed, and what it has used; the user's message stays, and the same operation may be tried again.
func (u TakeTurn) Fail(ctx context.Context, t domain.Turn, reply domain.Reply, cause error) error {
	why := []rune(storable(cause.Error()))
	told := fail.From(cause)
	err := u.Turns.Fail(ctx, t, reply, string(why[:min(len(why), longestReason)]), domain.Failure{Code: told.Code, Message: told.Message, Details: told.Details}, u.Now())
	if err != nil {
		return fmt.Errorf("store that the turn failed: %w", err)
	}
	return u.Events.TurnFailed(ctx, t, reply, told)
}

// Cut gives the lease of an attempt back that was cut short, and counts what it has used.
func (u TakeTurn) Cut(ctx context.Context, t domain.Turn, reply domain.Reply) error {
	return u.Turns.Cut(ctx, t, reply, u.Now())
}

// recoverFirst is how long a turn whose lease has run out is left to those who go on with it, before another turn may take its
// thread.
const recoverFirst = 10 * time.Second

// Unblock is for a thread that was found busy: it gives up a turn that nobody has gone on with since its lease ran out and
// answers nil, so that the call may be tried again, or says which turn it is that runs.
func (u TakeTurn) Unblock(ctx context.Context, thread uuid.UUID) error {
	freed, err := u.Leases.Free(ctx, thread, recoverFirst, "its lease ran out and another turn took the thread")
	if err != nil || freed {
		return err
	}
	active, err := u.Leases.Busy(ctx, thread)
	if err != nil || active == uuid.Nil {
		return err // it has just ended
	}
	return ports.ErrThreadBusy.With("active_turn_id", active)
}
