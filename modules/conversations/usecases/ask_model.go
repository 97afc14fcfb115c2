package usecases

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/fail"
)

// AskModel calls a model to answer a turn.
type AskModel struct {
	Model   ports.Model
	Timeout time.Duration // for the whole answer
	Now     func() time.Time
}

// timeoutSlack is how much longer than Timeout the context of the call lasts. The guard of the model has the same
// Timeout and must be the first to detect that the model hangs. Otherwise it would take the timeout for a caller who
// has left.
const timeoutSlack = 250 * time.Millisecond

// Ask calls the model of a turn and passes the text to write while it is generated. Where the model fails, the error
// says when to repeat the call, and the reply has the usage all the same.
func (u AskModel) Ask(ctx context.Context, t domain.Turn, write func(text string)) (domain.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, u.Timeout+timeoutSlack)
	defer cancel()
	start, first := u.Now(), time.Duration(0)
	reply, err := u.Model.Reply(ctx, promptOf(t), func(text string) {
		if first == 0 {
			first = u.Now().Sub(start)
		}
		write(storable(text))
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
		return reply, modelFailure(err).With("turn_id", t.ID)
	}
	return reply, nil
}

func promptOf(t domain.Turn) ports.Prompt {
	return ports.Prompt{
		TurnID: t.ID, Attempt: t.Attempt, Limited: t.CostLimited,
		ThreadID: t.ThreadID, Seq: t.User.Seq, Pinned: t.Pinned, Defaults: t.Defaults, Content: t.User.Content,
	}
}

// modelFailure returns the error for callers of a model's failure. An error that is neither a permanent failure nor a
// limit counts as temporary.
func modelFailure(err error) *fail.Error {
	if ports.PermanentModelFailure(err) || errors.Is(err, ports.ErrModel) || errors.Is(err, fail.ErrLimitReached) {
		return fail.From(err)
	}
	return ports.ErrModel.After(max(ports.ErrModel.RetryAfter, fail.From(err).RetryAfter)).Because(err)
}

// storable removes what Postgres cannot store: NUL and what is not UTF-8. A model may send anything.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
}
