package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/command"
	"github.com/parley/parley/platform/fail"
	"github.com/parley/parley/platform/jobs"
	"github.com/parley/parley/platform/resilience"
)

// AnswerMessage has the bot of an endpoint answer a message that came in over it: in the thread of the sender's
// conversation, after those that came before it there. The turn's operation is the event's, so that however often the job
// is started there is one.
type AnswerMessage struct {
	Inbox    ports.Inbox
	Turn     usecases.TakeTurn
	Commands *command.Pipeline
	Bound    command.Bound // of the turns that run at once; it does not wait, as a job may be put off
	Steps    func(turn *domain.Turn) command.Long
	// Away tells for how long the models of a bot will not be asked, own being the providers that the workspace has keys
	// for: until then no turn is begun.
	Away func(ctx context.Context, p ports.Prompt, own []string) time.Duration
}

// Message is the payload of its jobs.
type Message struct {
	EventID uuid.UUID `json:"event_id"`
}

const (
	waitForTurn  = time.Second // while another turn has the thread
	waitEarlier  = time.Second // for each message that came before
	waitForLimit = 10 * time.Minute
	waitForBot   = 7 * 24 * time.Hour // after the message came in
	jobTimeSlack = 30 * time.Second
	modelAway    = "the model has failed too often just now"
)

// Pool is the name of the pool of slots that answers take.
const Pool = "answers"

// Register has AnswerMessage do the jobs of a kind.
func (a AnswerMessage) Register(r *jobs.Registry, kind string) error {
	return jobs.Register(r, kind, jobs.KindOptions{Pool: Pool, Timeout: a.Turn.Timeout + jobTimeSlack}, a.Do)
}

// Do makes one attempt.
func (a AnswerMessage) Do(ctx context.Context, job jobs.Job[Message]) error {
	waiting, err := a.Inbox.ToAnswer(ctx, job.Payload.EventID)
	if errors.Is(err, ports.ErrEventNotFound) {
		return jobs.Permanent(err)
	}
	if err != nil {
		return err
	}
	if waiting.Status != domain.EventReceived {
		return nil
	}
	if waiting.Earlier > 0 {
		return jobs.NotYet("an earlier message of the conversation is not answered yet", max(0, waiting.EarlierDue)+time.Duration(waiting.Earlier)*waitEarlier)
	}
	asked := ports.Prompt{Pinned: &domain.Pinned{Settings: waiting.Settings}, Defaults: waiting.Defaults}
	if wait := a.Away(ctx, asked, waiting.OwnKeys); wait > 0 {
		return jobs.NotYet(modelAway, wait)
	}
	message, err := waiting.Message()
	if err != nil {
		return jobs.Permanent(fmt.Errorf("the event is no message that can be answered: %w", err))
	}
	if !waiting.ThreadReady {
		channel := domain.Channel{EndpointID: waiting.EndpointID, ConversationID: message.ConversationID}
		if waiting.Thread, err = a.Inbox.OpenThread(ctx, channel); err != nil {
			return err
		}
	}
	if err := a.answer(ctx, waiting, message.Text); err != nil {
		return err
	}
	return a.Inbox.Answered(ctx, waiting, job.Finish)
}

// answer takes the turn, or finds it taken or cancelled.
func (a AnswerMessage) answer(ctx context.Context, w ports.Waiting, text string) error {
	ctx = call.For(ctx, call.From(ctx).Principal.WorkspaceID, w.EndpointID, w.OperationID)
	turn := a.Turn.PrepareEvent(usecases.Said{ThreadID: w.Thread, ActorID: w.EndpointID, OperationID: w.OperationID, Content: text})
	steps := a.Steps(&turn)
	steps.Bound = a.Bound
	_, err := a.Commands.RunLong(ctx, steps)
	wait, refused := resilience.IsRefused(err)
	switch {
	case errors.Is(err, ports.ErrCancel): // somebody did not want it answered, or not any further: so it is dealt with
		return nil
	case refused: // the model was not asked, so nothing has failed
		return jobs.NotYet(modelAway, wait)
	case errors.Is(err, ports.ErrTooManyTurns):
		return jobs.NotYet("as many turns as may run at once are running", waitForTurn)
	case errors.Is(err, ports.ErrThreadBusy):
		if err := a.Turn.Unblock(ctx, w.Thread); err != nil && !errors.Is(err, ports.ErrThreadBusy) {
			return err
		}
		return jobs.NotYet("another turn has the thread", waitForTurn)
	case errors.Is(err, command.ErrInProgress):
		return jobs.NotYet("the turn was begun and is not given up yet", waitForTurn)
	case errors.Is(err, ports.ErrBotArchived) && a.Turn.Now().Sub(w.ReceivedAt) < waitForBot: // until it is taken up again, or the endpoint has another
		return jobs.NotYet("the bot of the endpoint is archived", waitForArchived(a.Turn.Now().Sub(w.ReceivedAt)))
	case errors.Is(err, fail.ErrLimitReached): // until a new month, or an operator who raises it
		return jobs.NotYet("the workspace has reached a limit", waitForLimit)
	case ports.PermanentModelFailure(err), errors.Is(err, ports.ErrTurnMovedOn), errors.Is(err, ports.ErrThreadNotFound), errors.Is(err, ports.ErrThreadArchived),
		errors.Is(err, ports.ErrBotArchived), errors.Is(err, command.ErrExpired), errors.Is(err, command.ErrReused):
		return jobs.Permanent(err)
	default:
		return err
	}
}

// waitForArchived returns how long a message that has waited for a while for an archived bot waits before the next look: as long
// again, so that a bot that was archived for moments answers soon, and no longer than waitForLimit.
func waitForArchived(waited time.Duration) time.Duration {
	return min(max(waited, waitForTurn), waitForLimit)
}
