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
	Now     func() time.Time
}

// NewThread is the input of CreateThread.
type NewThread struct {
	WorkspaceID, By uuid.UUID
	BotID           *uuid.UUID // nil: without a bot
	EndUserID       *uuid.UUID // who opens it, which the database knows too; nil: no end user
	Title           string
	Metadata        json.RawMessage // nil: none
	Variables       domain.Variables
}

// Do opens the thread, with a bot of the workspace or without one. It fails with ErrBotNotFound or ErrBotArchived.
func (u CreateThread) Do(ctx context.Context, in NewThread) (domain.Thread, error) {
	thread := domain.NewThread(in.WorkspaceID, in.By, in.BotID, u.Now())
	thread.EndUserID = in.EndUserID
	if err := thread.Label(in.Title, in.Metadata); err != nil {
		return domain.Thread{}, wrongLabel(err)
	}
	if err := checkVariables(in.Variables); err != nil {
		return domain.Thread{}, err
	}
	thread.Variables = in.Variables
	return thread, u.Threads.Create(ctx, thread)
}
