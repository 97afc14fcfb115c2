package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// keptFor is how long the thread of a call without a thread is kept, for the same call sent again.
const keptFor = 10 * time.Minute

// ask is what a call of chat completions or of responses asks for.
type ask struct {
	model       string // as the call names it
	said        conversation
	place       place
	store       *bool // a call without a place opens a thread that stays; nil: what the API key says
	temperature *float64
	maxTokens   *int64
}

// asked is a turn to take.
type asked struct {
	turn  usecases.NewTurn
	model string // as the call names it
	stays bool   // the thread is not deleted by itself
	// endUser says that an end user receives the answer, which then says nothing of models and of what they use.
	endUser bool
}

// usage returns the usage of a turn as the caller receives it.
func (a asked) usage(u domain.Usage) ChatUsage {
	if a.endUser {
		u = domain.Usage{}
	}
	return toUsage(u)
}

// failure returns an error as the caller receives it.
func (a asked) failure(e *fail.Error) *fail.Error {
	if a.endUser {
		return e.ForEndUser()
	}
	return e
}

func isEndUser(ctx context.Context) bool { return callctx.From(ctx).Principal.EndUser != nil }

// prepare returns the turn of a call.
func (s Server) prepare(ctx context.Context, in ask) (asked, error) {
	endUser := isEndUser(ctx)
	bot, version, err := s.Find.Do(ctx, in.model)
	if endUser && errors.Is(err, ports.ErrNoSuchModel) {
		err = ports.ErrBotNotFound // end users learn nothing of models
	}
	if err != nil {
		return asked{}, err
	}
	request := &domain.Request{}
	if !endUser { // who may not say how a bot answers
		request.Instruction, request.Temperature = in.said.instruction, in.temperature
		if in.maxTokens != nil {
			request.MaxOutputTokens = new(int(*in.maxTokens))
		}
	}
	a := asked{model: in.model, stays: true, endUser: endUser, turn: usecases.NewTurn{Content: in.said.content, Version: version, Request: request}}
	switch {
	case in.place.thread != uuid.Nil:
		a.turn.ThreadID = in.place.thread
		a.stays, err = s.checkThread(ctx, in.place.thread, bot)
		return a, about(in.place.field, err)
	case in.place.chat != "":
		a.turn.Open = s.threadOfChat(ctx, bot.ID, in.place.chat)
	default:
		request.Complete, request.History = true, in.said.history
		a.stays = in.stays(callctx.From(ctx).Principal)
		a.turn.Open = s.threadOfCall(ctx, bot.ID, in.said.history, a.stays)
	}
	a.turn.ThreadID = a.turn.Open.ID
	return a, nil
}

// stays reports whether the thread of a call without a place stays. What a client does for itself and what it calls temporary is kept only
// where the call says so.
func (in ask) stays(p callctx.Principal) bool {
	if in.store != nil {
		return *in.store
	}
	return p.KeepsCalls && !in.place.temporary
}

// checkThread checks that a thread is one of the bot that the call names, and reports whether it stays.
func (s Server) checkThread(ctx context.Context, thread uuid.UUID, bot ports.Bot) (stays bool, err error) {
	t, err := s.Threads.Get(ctx, thread)
	if err != nil {
		return false, err
	}
	if t.BotID == nil || *t.BotID != bot.ID {
		return false, wrong("model", "NOT_ALLOWED", "must be the bot of the thread")
	}
	return t.ExpiresAt == nil, nil
}

// place is where a call takes its turn: in a thread, in the thread of a chat of Open WebUI, or in neither.
type place struct {
	thread uuid.UUID
	field  string // of the call that names the thread
	chat   string
	// temporary says that a call in neither is one that a chat client makes for itself, or in a chat that it does not keep.
	temporary bool
}

// named reports whether a call names a thread or a chat.
func (p place) named() bool { return p.thread != uuid.Nil || p.chat != "" }

// placeNames are what calls name a place by.
type placeNames struct {
	header       *string         // X-Parley-Thread-Id
	openWebUI    *string         // X-OpenWebUI-Chat-Id
	metadata     json.RawMessage // with thread_id
	conversation json.RawMessage // an id, or an object with one
}

// maxChatID is the largest length of the id of a chat, in bytes.
const maxChatID = 200

// temporaryChat begins the ids that Open WebUI gives to chats that it does not keep.
const temporaryChat = "local:"

func (n placeNames) place(said conversation) (place, error) {
	var metadata struct {
		ThreadID *string `json:"thread_id"`
		Task     any     `json:"task"`
	}
	if len(n.metadata) > 0 && json.Unmarshal(n.metadata, &metadata) != nil {
		return place{}, wrong("metadata.thread_id", "WRONG_TYPE", "must be a text")
	}
	if task, _ := metadata.Task.(string); isTask(task, said) {
		return place{temporary: true}, nil
	}
	for _, name := range []struct {
		field string
		id    *string
	}{{headerThread, n.header}, {"metadata.thread_id", metadata.ThreadID}, {"conversation", idOf(n.conversation)}} {
		if name.id == nil {
			continue
		}
		id, err := uuid.Parse(*name.id)
		if err != nil || id == uuid.Nil { // which would be no place
			return place{}, wrong(name.field, "INVALID_FORMAT", "must be the id of a thread")
		}
		return place{thread: id, field: name.field}, nil
	}
	switch id := n.openWebUI; {
	case id == nil:
		return place{}, nil
	case strings.HasPrefix(*id, temporaryChat):
		return place{temporary: true}, nil
	case len(*id) > maxChatID:
		return place{}, wrong("X-OpenWebUI-Chat-Id", "TOO_LONG", fmt.Sprintf("must have at most %d characters", maxChatID))
	default:
		return place{chat: *id}, nil
	}
}

// idOf returns the id of a conversation: the text itself, or that of an object; nil: none is named.
func idOf(conversation json.RawMessage) *string {
	var id *string
	if len(conversation) == 0 || json.Unmarshal(conversation, &id) == nil {
		return id
	}
	var object struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(conversation, &object) // ignored: the document has checked its form
	return &object.ID
}

// namespace is that of the ids of threads that calls open. They are made of what the same call sent again has too.
const namespace = "5a1c0d0e-3b0f-4f4e-9a57-0c6a52c1b7d3"

// threadOfChat returns the thread of a chat with a bot. It is the same for every call of the chat; that of a chat key or an end user
// is its own, since another may name a chat alike.
func (s Server) threadOfChat(ctx context.Context, bot uuid.UUID, chat string) *domain.Thread {
	name := []string{"chat", bot.String(), chat}
	if p := callctx.From(ctx).Principal; p.Own {
		name = append(name, "own", p.UserID.String())
	}
	t := s.newThread(ctx, bot, name...)
	t.Metadata, _ = json.Marshal(map[string]string{"openwebui_chat_id": chat}) // a text can be encoded
	return t
}

// withHistory is the metadata of a thread whose first call has sent messages that are not in the thread.
const withHistory = "openai_history"

// threadOfCall returns the thread of a call without a thread, which expires unless it stays. It is the same for the same operation.
func (s Server) threadOfCall(ctx context.Context, bot uuid.UUID, history []domain.PastMessage, stays bool) *domain.Thread {
	c := callctx.From(ctx)
	t := s.newThread(ctx, bot, "call", c.Principal.UserID.String(), c.Operation.ID.String())
	if len(history) > 0 {
		t.Metadata = json.RawMessage(`{"` + withHistory + `":true}`)
	}
	if !stays {
		expires := t.CreatedAt.Add(keptFor)
		t.ExpiresAt = &expires
	}
	return t
}

func (s Server) newThread(ctx context.Context, bot uuid.UUID, name ...string) *domain.Thread {
	p := callctx.From(ctx).Principal
	t := domain.NewThread(p.WorkspaceID, p.UserID, &bot, s.Now())
	t.ID = uuid.NewSHA1(uuid.MustParse(namespace), []byte(strings.Join(name, "\n")))
	return &t
}
