// Package domain has threads, messages and turns, and the rules that hold for them.
package domain

import (
	"time"

	"github.com/google/uuid"
)

// ThreadStatus is where a thread is in its life.
type ThreadStatus string

// The statuses of a thread.
const (
	ThreadActive   ThreadStatus = "active"
	ThreadArchived ThreadStatus = "archived"
)

// Thread is a conversation, with a bot or without one.
type Thread struct {
	ID          uuid.UUID
	WorkspaceID uuid.UUID
	BotID       *uuid.UUID // nil: without a bot
	Channel     *Channel   // nil: opened by a call
	Status      ThreadStatus
	CreatedBy   uuid.UUID
	CreatedAt   time.Time
}

// NewThread opens a thread.
func NewThread(workspace, by uuid.UUID, bot *uuid.UUID, now time.Time) Thread {
	return Thread{
		ID:          uuid.Must(uuid.NewV7()),
		WorkspaceID: workspace,
		BotID:       bot,
		Status:      ThreadActive,
		CreatedBy:   by,
		CreatedAt:   now,
	}
}
