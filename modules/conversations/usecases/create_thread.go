// Package usecases has the use cases of conversations, one file each. A turn is in several: take_turn.go begins it,
// run_turn.go has the steps of each attempt, and fail_turn.go the end of an attempt without an answer.
package usecases

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// CreateThread opens a thread.
type CreateThread struct {
	Threads ports.Threads
	Bots    ports.Bots
	Now     func() time.Time
}

// NewThread is the input of CreateThread.
type NewThread struct {
	WorkspaceID, By uuid.UUID
	BotID           *uuid.UUID // nil: without a bot
	Title           string
	Metadata        json.RawMessage // nil: none
}

// Do opens the thread, with a bot of the workspace or without one.
func (u CreateThread) Do(ctx context.Context, in NewThread) (domain.Thread, error) {
	if in.BotID != nil {
		exists, err := u.Bots.Exists(ctx, *in.BotID)
		if err != nil {
			return domain.Thread{}, err
		}
		if !exists {
			return domain.Thread{}, ports.ErrBotNotFound
		}
	}
	thread := domain.NewThread(in.WorkspaceID, in.By, in.BotID, u.Now())
	if err := thread.Label(in.Title, in.Metadata); err != nil {
		return domain.Thread{}, wrongLabel(err)
	}
	return thread, u.Threads.Create(ctx, thread)
}
