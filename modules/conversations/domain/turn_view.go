package domain

import (
	"time"

	"github.com/google/uuid"
)

// TurnStatus is the state of a turn.
type TurnStatus string

// The statuses.
const (
	TurnRunning   TurnStatus = "running"
	TurnWaiting   TurnStatus = "waiting" // for decisions about calls of tools: no process runs it, and its thread is busy
	TurnCompleted TurnStatus = "completed"
	TurnFailed    TurnStatus = "failed"
	TurnCancelled TurnStatus = "cancelled"
)

// TurnView is a turn as it is read: its state, its usage and its cost.
type TurnView struct {
	ID, ThreadID, ActorID, OperationID uuid.UUID
	ParentID                           *uuid.UUID // the turn that it follows; nil: none
	BotID                              *uuid.UUID // nil in a thread without a bot
	BotVersion                         *int
	Status                             TurnStatus
	Attempt                            int
	Reply                                        // of the last attempt, without its content and what was charged
	Failure                            *Failure  // of a failed turn
	CancelledBy                        uuid.UUID // the operation that cancelled it
	Variables                          Variables // that the turn was given
	User                               Message
	Answer                             *Message // nil while there is none; the partial answer of a cancelled turn
	CreatedAt                          time.Time
	FinishedAt                         *time.Time
}

// Failure is the reason why a turn failed, as callers receive it.
type Failure struct {
	Code, Message string
	Details       map[string]any // nil where there are none
}

// Ended reports whether the turn has ended.
func (r TurnView) Ended() bool { return r.Status != TurnRunning && r.Status != TurnWaiting }

// View returns the turn as it is read while it runs.
func (t *Turn) View() TurnView {
	r := TurnView{
		ID: t.ID, ThreadID: t.ThreadID, ActorID: t.ActorID, OperationID: t.OperationID, Status: TurnRunning, ParentID: t.ParentID,
		Attempt: t.Attempt, User: t.User, CreatedAt: t.StartedAt,
	}
	if t.Pinned != nil {
		r.BotID, r.BotVersion = &t.Pinned.BotID, &t.Pinned.Version
	}
	return r
}

// AnswerID returns the id of a turn's answer. It is known before the answer exists, and is the same for every attempt.
// It differs from the id of the turn only in the last bit.
func AnswerID(turn uuid.UUID) uuid.UUID {
	turn[len(turn)-1] ^= 1
	return turn
}

// TurnOfAnswer returns the id of the turn whose answer has an id.
func TurnOfAnswer(answer uuid.UUID) uuid.UUID { return AnswerID(answer) }
