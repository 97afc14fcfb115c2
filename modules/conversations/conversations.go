// Package conversations is the public interface of the conversations module for other modules.
package conversations

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Models reports which models are available in the caller's workspace.
type Models interface {
	// Warn returns a warning, by the name, for each name of a model that nobody serves, with a key of the operator's or the
	// workspace's own.
	Warn(ctx context.Context, names []string) (map[string]Warning, error)
}

// Warning describes a value that is stored as it is and is probably a mistake.
type Warning struct{ Code, Message string }

// Answers takes the turns of messages that another module has received from outside, in the workspace of the call in the
// context.
type Answers interface {
	// CheckText returns what is wrong with the text of a message; nil: nothing.
	CheckText(text string) *WrongText
	// ModelsAway returns for how long none of the models that would answer will be called, as they have failed too often;
	// 0: one is called now.
	ModelsAway(ctx context.Context, m ModelChoice) time.Duration
	// OpenThread returns the thread of a conversation in an outside system, ready for its next message, in a transaction of
	// its own. The first call opens it with the bot of the endpoint. An archived thread is made active again or replaced
	// by a new one, as the endpoint's rule says.
	OpenThread(ctx context.Context, endpoint uuid.UUID, conversation string) (uuid.UUID, error)
	// Answer takes the turn of a message whose text was checked when it was received, by the actor and under the operation
	// of the call in the context: there is one turn however often it is called. It does not wait for a slot or for another
	// turn. It returns nil for a turn that is completed or was cancelled. Errors are *Delayed, *Rejected, and any other
	// where a retry may succeed.
	Answer(ctx context.Context, thread uuid.UUID, text string) error
}

// Quotes removes what turns have kept of documents, in the workspace of the call in the context.
type Quotes interface {
	// Erase removes titles, headings and texts of documents that were deleted, from citations and retrievals, and what was streamed and
	// answered in their turns. It takes some turns in a transaction of its own. Done is false where it is to be called again, after wait:
	// there are more, or a turn runs that may have found the documents before they were deleted.
	Erase(ctx context.Context, documents []uuid.UUID, deletedAt time.Time) (done bool, wait time.Duration, err error)
}

// BotThreads ends what a bot that is deleted has to do with threads, in the workspace of the call in the context.
type BotThreads interface {
	// StopTurns ends the turns of the bot that run as cancelled, without an answer, in the transaction of the context.
	StopTurns(ctx context.Context, bot uuid.UUID) error
	// DeleteSome deletes some threads of the bot, each in a transaction of its own, and reports whether there are more.
	DeleteSome(ctx context.Context, bot uuid.UUID) (more bool, err error)
}

// EndUserThreads are the threads of end users, in the workspace of the call in the context.
type EndUserThreads interface {
	// Delete deletes the threads of an end user with everything that was said in them, in the transaction of the context. The end user must be
	// locked, so that no thread of it is made meanwhile.
	Delete(ctx context.Context, endUser uuid.UUID) error
}

// OldThreads deletes threads in which nothing was said for long, in the workspace of the call in the context.
type OldThreads interface {
	// DeleteSome deletes some threads in which nothing was said since a time, each in a transaction of its own: of those that were made after another one,
	// which its time and id name. It returns how many, and which it looked at last; the zero id where there are no more.
	DeleteSome(ctx context.Context, before, made time.Time, after uuid.UUID) (deleted int, lastMade time.Time, last uuid.UUID, err error)
}

// WrongText says why no message may have a text.
type WrongText struct{ Code, Message string }

// ModelChoice is what decides which models answer.
type ModelChoice struct {
	Settings     json.RawMessage // of the bot's published version
	DefaultModel string          // of the workspace; empty: none
	Fallbacks    []string        // of the workspace
	OwnKeys      []string        // the providers for which the workspace has a key of its own
}

// Delayed is the error of a turn that cannot be taken now. Nothing has failed.
type Delayed struct {
	Reason string
	Wait   time.Duration // until the next try
}

func (d *Delayed) Error() string { return d.Reason }

// Rejected is the error of a turn that another try would not complete either.
type Rejected struct {
	Cause       error
	BotArchived bool // it is so only until the bot is active again
}

func (r *Rejected) Error() string { return r.Cause.Error() }

// Unwrap returns why the turn is rejected.
func (r *Rejected) Unwrap() error { return r.Cause }
