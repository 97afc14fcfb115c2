// Package aisdk serves turns to useChat of the AI SDK, versions 5 to 7. It decodes a request, calls the same use cases as
// entrypoints/rest, and encodes the events of the turn as a UI message stream, version 1:
// https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol.
package aisdk

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/request/access"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// Server serves the calls.
type Server struct {
	Bots   ports.Bots
	Take   usecases.TakeTurn
	Retry  usecases.RetryTurn
	Follow usecases.FollowTurn
	Views  ports.TurnViews
	Access *access.Watcher
	Now    func() time.Time
}

// Mount adds the routes.
func (s Server) Mount(e *echo.Echo) { RegisterHandlers(e, NewStrictHandler(s, nil)) }

// SendAISDKMessage takes a turn in the thread of a chat and streams its answer.
func (s Server) SendAISDKMessage(ctx context.Context, r SendAISDKMessageRequestObject) (SendAISDKMessageResponseObject, error) {
	said, err := lastMessage(r.Body.Messages)
	if err != nil {
		return nil, err
	}
	thread := s.thread(ctx, r.BotID, r.Body.ID)
	switch {
	case r.Body.Trigger != nil && *r.Body.Trigger == RegenerateMessage:
		return s.regenerate(ctx, thread, said, r.Body)
	case r.Body.MessageID != nil:
		return s.edit(ctx, thread, said, r.Body)
	}
	return s.submit(ctx, thread, said, "", nil), nil
}

// ResumeAISDKStream streams the answer of the turn that runs in the thread of a chat.
func (s Server) ResumeAISDKStream(ctx context.Context, r ResumeAISDKStreamRequestObject) (ResumeAISDKStreamResponseObject, error) {
	last, err := s.lastTurn(ctx, s.thread(ctx, r.BotID, r.ChatID).ID)
	if err != nil {
		return nil, err
	}
	if last == nil {
		_, err = s.Bots.ByID(ctx, r.BotID, nil, false)
		if errors.Is(err, ports.ErrNoSuchModel) {
			err = ports.ErrBotNotFound
		}
		if err != nil {
			return nil, err
		}
	}
	if last == nil || last.Ended() {
		return ResumeAISDKStream204Response{}, nil
	}
	return s.follow(ctx, *last), nil
}

// namespace is that of the ids of the threads of chats, and of the operations of their messages.
const namespace = "8a3d3c5e-54c5-4c8e-8f0b-0e5d2f7c9b44"

// thread returns the thread of a chat with a bot: the same for every call of the chat by the same caller.
func (s Server) thread(ctx context.Context, bot uuid.UUID, chat string) domain.Thread {
	p := callctx.From(ctx).Principal
	t := domain.NewThread(p.WorkspaceID, p.UserID, &bot, s.Now())
	t.ID = named("chat", p.WorkspaceID.String(), p.UserID.String(), bot.String(), chat)
	t.Metadata, _ = json.Marshal(map[string]string{"ai_sdk_chat_id": chat}) // a text can be encoded
	return t
}

func named(parts ...string) uuid.UUID {
	return uuid.NewSHA1(uuid.MustParse(namespace), fmt.Appendf(nil, "%q", parts))
}

// message is the message of the user that a call is about.
type message struct {
	id, content string
	field       string
}

// lastMessage returns the last message of a call, which must be the user's. The others are in the thread.
func lastMessage(messages []AISDKMessage) (message, error) {
	at := len(messages) - 1
	m, field := messages[at], fmt.Sprintf("messages.%d", at)
	if m.Role != User {
		return message{}, wrong(field+".role", "NOT_ALLOWED", "must be user: the last message is the one that is answered")
	}
	var texts []string
	for i, p := range m.Parts {
		if p.Type != "text" {
			return message{}, wrong(fmt.Sprintf("%s.parts.%d.type", field, i), "NOT_ALLOWED", "must be text: bots take no files")
		}
		if p.Text != nil {
			texts = append(texts, *p.Text)
		}
	}
	said := message{content: strings.Join(texts, "\n"), field: field + ".parts"}
	if m.ID != nil {
		said.id = *m.ID
	}
	if err := domain.CheckContent(said.content); err != nil {
		return message{}, wrong(said.field, usecases.ContentCode(err), err.Error())
	}
	return said, nil
}

func wrong(field, code, text string) error {
	return fail.Fields(fail.Field{Field: field, Code: code, Message: text})
}

// submit takes the turn of a message. The same message sent again joins the turn.
func (s Server) submit(ctx context.Context, thread domain.Thread, said message, after string, follows *domain.Parent) chatStream {
	turn := usecases.NewTurn{ThreadID: thread.ID, Open: &thread, Content: said.content, Follows: follows}
	ctx = operationOf(ctx, thread.ID, said, after)
	return s.stream(ctx, thread.ID, func(ctx context.Context, read usecases.Reader) error {
		return s.Take.DoStreamed(ctx, turn, 0, read)
	})
}

// operationOf names the operation of a message: it is made of the chat, the message and what the message is sent again after, unless the
// client named one.
func operationOf(ctx context.Context, thread uuid.UUID, said message, after string) context.Context {
	if o := callctx.From(ctx).Operation; o.Given || said.id == "" {
		return ctx
	}
	sum := sha256.Sum256([]byte(said.content))
	return callctx.Named(ctx, named("message", thread.String(), said.id, string(sum[:]), after))
}

// regenerate answers a message again, in another branch of the thread. A turn of the same content that runs is joined, and one that failed
// is tried again.
func (s Server) regenerate(ctx context.Context, thread domain.Thread, said message, call *AISDKChatRequest) (SendAISDKMessageResponseObject, error) {
	last, err := s.lastTurn(ctx, thread.ID)
	if err != nil {
		return nil, err
	}
	if last == nil {
		return s.submit(ctx, thread, said, "", nil), nil
	}
	sibling := last
	if call.MessageID != nil {
		if sibling, err = s.turnOf(ctx, thread.ID, *call.MessageID); err != nil {
			return nil, err
		}
	}
	if (sibling == nil || sibling.ID == last.ID) && (last.Status == domain.TurnFailed || !last.Ended()) {
		asked, err := s.Views.Get(ctx, thread.ID, last.ID) // a list has no texts
		switch {
		case err != nil:
			return nil, err
		case asked.User.Content != said.content:
		case asked.Ended():
			return s.stream(ctx, thread.ID, func(ctx context.Context, read usecases.Reader) error {
				return s.Retry.DoStreamed(ctx, thread.ID, last.ID, 0, read)
			}), nil
		default:
			return s.follow(ctx, asked), nil
		}
	}
	follows := &domain.Parent{}
	if sibling != nil {
		follows.TurnID = sibling.ParentID
	} else if follows, err = s.lastAnswer(ctx, thread.ID, call.Messages); err != nil {
		return nil, err
	}
	return s.submit(ctx, thread, said, last.ID.String(), follows), nil
}

// edit answers a message that was changed, in another branch of the thread. A message that is as it was is sent again, unless another one
// is the last by now.
func (s Server) edit(ctx context.Context, thread domain.Thread, said message, call *AISDKChatRequest) (SendAISDKMessageResponseObject, error) {
	last, err := s.lastTurn(ctx, thread.ID)
	if err != nil {
		return nil, err
	}
	if last == nil {
		return s.submit(ctx, thread, said, "", nil), nil
	}
	before, err := s.Views.OfOperation(operationOf(ctx, thread.ID, said, ""))
	if err != nil {
		return nil, err
	}
	follows, err := s.lastAnswer(ctx, thread.ID, call.Messages)
	if err != nil {
		return nil, err
	}
	after := ""
	if before != uuid.Nil && before != last.ID {
		after = last.ID.String()
	}
	return s.submit(ctx, thread, said, after, follows), nil
}

// lastAnswer returns the turn of the last answer among the messages of a call; none where there is no answer, and nil where it is not one of the thread.
func (s Server) lastAnswer(ctx context.Context, thread uuid.UUID, messages []AISDKMessage) (*domain.Parent, error) {
	for _, m := range slices.Backward(messages) {
		if m.Role != Assistant {
			continue
		}
		if m.ID == nil {
			return nil, nil //nolint:nilnil // the current branch goes on
		}
		turn, err := s.turnOf(ctx, thread, *m.ID)
		if err != nil || turn == nil {
			return nil, err
		}
		return &domain.Parent{TurnID: &turn.ID}, nil
	}
	return &domain.Parent{}, nil
}

// turnOf returns the turn of an answer; nil where the thread has no such answer.
func (s Server) turnOf(ctx context.Context, thread uuid.UUID, answer string) (*domain.TurnView, error) {
	id, _ := uuid.Parse(answer) // the zero id, which no answer has, where it is none
	turn, err := s.Views.Get(ctx, thread, domain.TurnOfAnswer(id))
	if errors.Is(err, ports.ErrTurnNotFound) {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, err
	}
	return &turn, nil
}

// lastTurn returns the last turn of the current branch of a thread; nil where it has none, or does not exist yet.
func (s Server) lastTurn(ctx context.Context, thread uuid.UUID) (*domain.TurnView, error) {
	turns, err := s.Views.List(ctx, thread, domain.Branch{}, nil, 1)
	if errors.Is(err, ports.ErrThreadNotFound) || err == nil && len(turns) == 0 {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, err
	}
	return &turns[0], nil
}

func (s Server) follow(ctx context.Context, turn domain.TurnView) chatStream {
	return s.stream(ctx, turn.ThreadID, func(ctx context.Context, read usecases.Reader) error {
		return read(context.WithoutCancel(ctx), usecases.StreamStart{Turn: turn.ID})
	})
}
