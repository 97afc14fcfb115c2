package ports

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/platform/request/fail"
)

// Conversations answers received messages, by the conversations module.
type Conversations interface {
	// CheckText returns what is wrong with the text of a message, without the name of the field; nil: nothing.
	CheckText(text string) *fail.Field
	// ModelsAway returns for how long none of the models of a message will be called; 0: one is called now.
	ModelsAway(ctx context.Context, m ModelChoice) time.Duration
	// OpenThread returns the thread of a conversation, ready for its next message, in a transaction of its own. The
	// first message opens the thread, with the bot of the endpoint. An archived thread is made active again or replaced
	// by a new one, as the endpoint's rule says.
	OpenThread(ctx context.Context, endpoint uuid.UUID, conversation string) (uuid.UUID, error)
	// Answer takes the turn of a message, by the actor and under the operation of the call in the context, so that there is
	// one turn however often it is called. It returns nil for a turn that is completed or cancelled. Errors are
	// *Postponed, *Unanswerable, and any other where a retry may succeed.
	Answer(ctx context.Context, thread uuid.UUID, text string) error
}

// ModelChoice is what decides which models answer a message.
type ModelChoice struct {
	Settings     json.RawMessage // of the bot's published version
	DefaultModel string          // of the workspace; empty: none
	Fallbacks    []string        // of the workspace
	OwnKeys      []string        // the providers for which the workspace has a key of its own
}

// Postponed is the error of a message that cannot be answered yet. Nothing has failed.
type Postponed struct {
	Reason string
	Wait   time.Duration // until the next try
}

func (p *Postponed) Error() string { return p.Reason }

// Unanswerable is the error of a message that a retry would not answer either.
type Unanswerable struct {
	Cause       error
	BotArchived bool // it is so only until the bot is active again
}

func (u *Unanswerable) Error() string { return u.Cause.Error() }

// Unwrap returns why the message cannot be answered.
func (u *Unanswerable) Unwrap() error { return u.Cause }
