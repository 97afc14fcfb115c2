package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/callctx"
)

// trialTime is for how long a trial thread is kept.
const trialTime = 24 * time.Hour

// TryVersion prepares turns in which an editor tries a version of a bot.
type TryVersion struct {
	Bots    ports.Bots
	Threads ports.Threads
	Now     func() time.Time
}

// Trial is a message to a version of a bot.
type Trial struct {
	BotID   uuid.UUID
	Version int
	Content string
	// Variables of the instruction; those of the thread have the others.
	Variables domain.Variables
	Thread    *uuid.UUID // of an earlier trial; nil: a new one
}

// Do returns the turn to take. The same operation has the same thread. Errors are those of ports.Bots.CheckTrial, ports.ErrThreadNotFound, and
// ports.ErrNoTrial for a thread of something else.
func (u TryVersion) Do(ctx context.Context, in Trial) (NewTurn, error) {
	if err := u.Bots.CheckTrial(ctx, in.BotID, in.Version); err != nil {
		return NewTurn{}, err
	}
	turn := NewTurn{Content: in.Content, Version: &in.Version, Variables: in.Variables}
	if in.Thread == nil {
		turn.Open = u.open(ctx, in.BotID)
		turn.ThreadID = turn.Open.ID
		return turn, nil
	}
	thread, err := u.Threads.Get(ctx, *in.Thread)
	if err == nil && (!thread.Trial || thread.BotID == nil || *thread.BotID != in.BotID) {
		err = ports.ErrNoTrial
	}
	turn.ThreadID = thread.ID
	return turn, err
}

// open makes the thread of a trial.
func (u TryVersion) open(ctx context.Context, bot uuid.UUID) *domain.Thread {
	c := callctx.From(ctx)
	t := domain.NewThread(c.Principal.WorkspaceID, c.Principal.UserID, &bot, u.Now())
	t.ID = uuid.NewSHA1(c.Operation.ID, append([]byte("trial"), c.Principal.UserID[:]...))
	expires := t.CreatedAt.Add(trialTime)
	t.Trial, t.ExpiresAt = true, &expires
	return &t
}
