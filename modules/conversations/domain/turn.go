package domain

import (
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Role is the author of a message.
type Role string

// The roles of a message.
const (
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
)

// Message is one message of a thread. Seq orders the messages of a thread; time does not.
type Message struct {
	ID          uuid.UUID
	ThreadID    uuid.UUID
	TurnID      *uuid.UUID // nil: of no turn
	Seq         int64
	Role        Role
	Content     string
	OperationID *uuid.UUID
	CreatedAt   time.Time
	Feedback    *Feedback // of the user who reads the message; nil: none
	Cancelled   bool      // the answer of a cancelled turn, which may be incomplete
	Citations   []Citation
	Steps       []Step // of the answer, before its content
	Structured  bool   // the content is a JSON object of the schema that the bot declared

	Attachments  []Attachment // of the user's message
	AttachedTurn uuid.UUID    // of a message whose attachments are not read; the zero id: it has none
	Images       []Image      // that a model is given with it
}

// Output returns the object that the content is; nil for a text.
func (m Message) Output() json.RawMessage {
	if !m.Structured || !json.Valid([]byte(m.Content)) {
		return nil
	}
	return json.RawMessage(m.Content)
}

// Turn is a user's message and the answer to it. When it starts, its two messages are numbered and the version of the
// bot is pinned. Only the attempt that holds the lease may end it.
type Turn struct {
	ID          uuid.UUID
	ThreadID    uuid.UUID
	ActorID     uuid.UUID
	OperationID uuid.UUID
	User        Message
	Place
	Trial       bool      // in a trial thread: tools write nothing, and nobody is notified
	Version     *int      // of the bot that the caller has named; nil: the published one
	Pinned      *Pinned   // nil in a thread without a bot
	Request     *Request  // nil: the caller has sent only the message
	Given       Variables // by the caller
	Variables   Variables // those of the thread and Given
	Defaults    ModelDefaults
	Asked       ModelName // the model that the settings name; its provider is UnknownProvider where they name none
	Channel     *Channel  // nil in a thread that was opened by an API call
	Attempt     int
	CostLimited bool // the workspace may have a limit of costs
	LeaseUntil  time.Time
	Tools       []ToolUse // that the turn may call, with their versions; nil: it has called none yet
	ToolSteps   int       // before this attempt
	StartedAt   time.Time
	Done        *Message // the answer, where another operation has completed the turn in the meantime
	DoneBy      Reply    // the reply that belongs to Done
}

// CompletedTurn is a turn with its answer.
type CompletedTurn struct {
	Turn   Turn
	Answer Message
	Reply  Reply
}

// Pinned is the version of a bot that a turn uses.
type Pinned struct {
	BotID       uuid.UUID
	Version     int
	Instruction string
	Settings    json.RawMessage
}

// Errors of the content of a message.
var (
	ErrContent = errors.New("must have 1 to 50000 characters")
	ErrBlank   = errors.New("must have at least one visible character")
)

// CheckContent returns ErrContent or ErrBlank for a content that no message may have.
func CheckContent(content string) error {
	if n := utf8.RuneCountInString(content); n < 1 || n > 50_000 {
		return ErrContent
	}
	if !IsVisible(content) {
		return ErrBlank
	}
	return nil
}

// NewTurn prepares a turn. Its number and version are set when it is stored. It returns ErrContent or ErrBlank for a
// content that no message may have.
func NewTurn(thread, actor, operation uuid.UUID, content string, lease time.Duration, now time.Time) (Turn, error) {
	if err := CheckContent(content); err != nil {
		return Turn{}, err
	}
	return NewTurnOfEvent(thread, actor, operation, content, lease, now), nil
}

// NewTurnOfEvent is NewTurn for the message of a stored event, which was checked when the event was received.
func NewTurnOfEvent(thread, actor, operation uuid.UUID, content string, lease time.Duration, now time.Time) Turn {
	id := uuid.Must(uuid.NewV7())
	return Turn{
		ID:          id,
		ThreadID:    thread,
		ActorID:     actor,
		OperationID: operation,
		User: Message{
			ID: uuid.Must(uuid.NewV7()), ThreadID: thread, TurnID: &id, Role: RoleUser, Content: content,
			OperationID: &operation, CreatedAt: now,
		},
		Attempt:    1,
		LeaseUntil: now.Add(lease),
		StartedAt:  now,
	}
}

// Answer makes the assistant's message of the turn, which follows the user's.
func (t *Turn) Answer(content string, now time.Time) Message {
	return Message{
		ID: AnswerID(t.ID), ThreadID: t.ThreadID, TurnID: &t.ID, Seq: t.User.Seq + 1, Role: RoleAssistant, Content: content,
		OperationID: &t.OperationID, CreatedAt: now,
	}
}

// Partial makes the assistant's message of a cancelled turn from the text so far. Its content is empty where none of
// that text is visible.
func (t *Turn) Partial(chunks []string, now time.Time) Message {
	text := TextOf(chunks)
	if !IsVisible(text) {
		text = ""
	}
	answer := t.Answer(text, now)
	answer.Cancelled, answer.Citations = true, CitationsOf(chunks)
	return answer
}

// Reply is the answer of a model, and its usage.
type Reply struct {
	Content         string
	Provider, Model string       // the model that answered, or failed; empty: none was chosen
	Own             bool         // the workspace's own key was used
	FinishReason    FinishReason // empty: unknown
	Citations       []Citation
	Calls           []ModelCall // of tools, whose results the model waits for
	Structured      bool        // Content is a JSON object of the schema that the bot declares
	Usage
	Begun      bool // the provider has worked on the call, and so charges for it
	Latency    time.Duration
	FirstToken time.Duration // until the first chunk of text; 0: there was none
}

// FinishedBy returns FinishReason as it is stored and sent; nil where it is unknown.
func (r Reply) FinishedBy() *string {
	if r.FinishReason == "" {
		return nil
	}
	why := string(r.FinishReason)
	return &why
}

// FirstTokenMS returns FirstToken in milliseconds; nil where there was no text.
func (r Reply) FirstTokenMS() *int64 {
	if r.FirstToken == 0 {
		return nil
	}
	ms := r.FirstToken.Milliseconds()
	return &ms
}

// FinishReason is the reason why a model ended its answer.
type FinishReason string

// The reasons.
const (
	FinishStop   FinishReason = "stop"       // the answer is complete
	FinishLength FinishReason = "length"     // the limit of tokens was reached
	FinishFilter FinishReason = "filter"     // the provider's content filter ended it
	FinishTools  FinishReason = "tool_calls" // the model calls tools
)
