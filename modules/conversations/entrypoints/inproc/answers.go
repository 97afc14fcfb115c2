package inproc

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/request/fail"
)

var _ conversations.Answers = Answers{}

// Answers takes the turns of messages that another module has received.
type Answers struct {
	Open   usecases.OpenChannelThread
	Take   usecases.TakeTurn
	Models ports.ModelGuard
}

// CheckText returns what is wrong with the text of a message; nil: nothing.
func (a Answers) CheckText(text string) *conversations.WrongText {
	err := domain.CheckContent(text)
	if err == nil {
		return nil
	}
	return &conversations.WrongText{Code: usecases.ContentCode(err), Message: err.Error()}
}

// ModelsAway returns for how long none of the models that would answer will be called.
func (a Answers) ModelsAway(ctx context.Context, m conversations.ModelChoice) time.Duration {
	return a.Models.Away(ctx, ports.Prompt{
		Pinned: &domain.Pinned{Settings: m.Settings}, Defaults: domain.ModelDefaults{Model: m.DefaultModel, Fallbacks: m.Fallbacks},
	}, m.OwnKeys)
}

// OpenThread returns the thread of a conversation in an outside system.
func (a Answers) OpenThread(ctx context.Context, endpoint uuid.UUID, conversation string) (uuid.UUID, error) {
	return a.Open.Do(ctx, domain.Channel{EndpointID: endpoint, ConversationID: conversation})
}

// Answer takes the turn of a message.
func (a Answers) Answer(ctx context.Context, thread uuid.UUID, text string) error {
	_, err := a.Take.Do(ctx, usecases.NewTurn{ThreadID: thread, Content: text, NoWait: true, Checked: true})
	return a.outcome(err)
}

// When a turn that is delayed may be tried again.
const (
	turnWait  = time.Second // while another turn runs
	limitWait = 10 * time.Minute
)

// outcome converts the error of a turn to those of conversations.Answers.
func (a Answers) outcome(err error) error {
	wait, notAsked := a.Models.NotAsked(err)
	switch {
	case err == nil, errors.Is(err, ports.ErrCancel), errors.Is(err, ports.ErrTurnWaiting): // which goes on by itself
		return nil
	case notAsked:
		return &conversations.Delayed{Reason: "the model has failed too often just now", Wait: wait}
	case errors.Is(err, ports.ErrTooManyTurns):
		return &conversations.Delayed{Reason: "as many turns as may run at once are running", Wait: turnWait}
	case errors.Is(err, ports.ErrThreadBusy):
		return &conversations.Delayed{Reason: "another turn has the thread", Wait: turnWait}
	case errors.Is(err, fail.ErrInProgress):
		return &conversations.Delayed{Reason: "the turn was begun and is not given up yet", Wait: turnWait}
	case errors.Is(err, fail.ErrLimitReached): // until a new month, or until an operator raises the limit
		return &conversations.Delayed{Reason: "the workspace has reached a limit", Wait: limitWait}
	case ports.PermanentModelFailure(err), errors.Is(err, ports.ErrTurnMovedOn), errors.Is(err, ports.ErrThreadNotFound), errors.Is(err, ports.ErrThreadArchived),
		errors.Is(err, ports.ErrBotArchived), errors.Is(err, fail.ErrExpired), errors.Is(err, fail.ErrReused):
		return &conversations.Rejected{Cause: err, BotArchived: errors.Is(err, ports.ErrBotArchived)}
	default:
		return err
	}
}
