package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/request/fail"
)

var (
	errResponseNotFound = fail.New(fail.NotFound, "NOT_FOUND", "there is no such response")
	errHistoryNotKept   = fail.New(fail.Conflict, "CONFLICT", "the conversation of previous_response_id began with messages that are not kept: send all messages as input")
)

// responseCall is a call of responses.
type responseCall struct {
	asked
	previous *string // as the call names it
}

// CreateResponse takes a turn and returns its response, or streams it.
func (s Server) CreateResponse(ctx context.Context, r CreateResponseRequestObject) (CreateResponseResponseObject, error) {
	c, err := s.decodeResponse(ctx, r)
	if err != nil {
		return nil, err
	}
	if isTrue(r.Body.Stream) {
		return createdStream{responseStream{server: &s, ctx: ctx, call: c, at: -1, run: s.taking(c.asked)}}, nil
	}
	view, replayed, err := s.take(ctx, c.asked)
	if err != nil {
		return nil, err
	}
	return responseAnswer{call: c, turn: view, replayed: replayed}, nil
}

// GetResponse returns the response of a turn, or streams it.
func (s Server) GetResponse(ctx context.Context, r GetResponseRequestObject) (GetResponseResponseObject, error) {
	view, c, err := s.response(ctx, r.ResponseID)
	if err != nil {
		return nil, err
	}
	if !isTrue(r.Params.Stream) {
		return responseAnswer{call: c, turn: view}, nil
	}
	stream := responseStream{server: &s, ctx: ctx, call: c, at: -1, early: true, run: found(view.ID)}
	if r.Params.StartingAfter != nil {
		stream.at = *r.Params.StartingAfter
	}
	if stream.said, stream.cited, err = s.Follow.Seen(ctx, view, positionAt(stream.at)); err != nil {
		return nil, err
	}
	return gottenStream{stream}, nil
}

// CancelResponse cancels the turn of a response. One that was cancelled before stays as it is.
func (s Server) CancelResponse(ctx context.Context, r CancelResponseRequestObject) (CancelResponseResponseObject, error) {
	view, c, err := s.response(ctx, r.ResponseID)
	if err != nil {
		return nil, err
	}
	answer, err := s.Cancel.Do(ctx, view.ThreadID, view.ID)
	if err != nil && !errors.Is(err, ports.ErrTurnEnded) {
		return nil, err
	}
	now, read := s.Views.Get(ctx, view.ThreadID, view.ID)
	switch {
	case read != nil:
		return nil, read
	case err != nil && now.Status != domain.TurnCancelled:
		return nil, err
	}
	return responseAnswer{call: c, turn: now, replayed: answer.Replayed}, nil
}

// response returns the turn of a response, and what a call would have said that names its bot by the id.
func (s Server) response(ctx context.Context, id string) (view domain.TurnView, c responseCall, err error) {
	threadID, turnID := responseParts(id)
	view, err = s.Views.Get(ctx, threadID, turnID)
	if errors.Is(err, ports.ErrTurnNotFound) {
		return view, c, errResponseNotFound
	}
	if err != nil {
		return view, c, err
	}
	thread, err := s.Threads.Get(ctx, threadID)
	if view.BotID != nil {
		c.model = view.BotID.String()
	}
	c.stays, c.endUser, c.turn.ThreadID = thread.ExpiresAt == nil, isEndUser(ctx), threadID
	return view, c, err
}

// decodeResponse returns the turn of a call.
func (s Server) decodeResponse(ctx context.Context, r CreateResponseRequestObject) (c responseCall, err error) {
	if isTrue(r.Body.Background) {
		return c, wrong("background", "NOT_ALLOWED", "must be false: a call waits for its response")
	}
	messages, err := inputMessages(r.Body.Input)
	if err != nil {
		return c, err
	}
	in := ask{model: r.Body.Model, store: r.Body.Store, temperature: r.Body.Temperature, maxTokens: r.Body.MaxOutputTokens}
	if in.said, err = read(messages); err != nil {
		return c, err
	}
	if r.Body.Instructions != nil && domain.IsVisible(*r.Body.Instructions) {
		in.said.instruction = strings.TrimSuffix(*r.Body.Instructions+"\n\n"+in.said.instruction, "\n\n")
	}
	in.place, err = placeNames{
		header: r.Params.XParleyThreadID, openWebUI: r.Params.XOpenWebUIChatID, metadata: r.Body.Metadata, conversation: r.Body.Conversation,
	}.place(in.said)
	if err != nil {
		return c, err
	}
	var follows *domain.Parent
	if c.previous = r.Body.PreviousResponseID; c.previous != nil {
		if in.place.named() {
			return c, wrong("previous_response_id", "NOT_ALLOWED", "must not be sent together with the id of a conversation")
		}
		const field = "previous_response_id"
		if in.place.thread, follows, err = s.continued(ctx, *c.previous); err != nil {
			return c, about(field, err)
		}
		in.place.field = field
	}
	c.asked, err = s.prepare(ctx, in)
	c.turn.Follows = follows
	if err == nil && c.previous != nil && isTrue(r.Body.Store) && !c.stays {
		err = wrong("store", "NOT_ALLOWED", "must not be true: the conversation of previous_response_id is not kept; send store with its first call")
	}
	return c, err
}

// continued returns the thread of a response that a call continues, and the turn after which it does.
func (s Server) continued(ctx context.Context, id string) (uuid.UUID, *domain.Parent, error) {
	view, _, err := s.response(ctx, id)
	if err != nil {
		return uuid.Nil, nil, err
	}
	thread, err := s.Threads.Get(ctx, view.ThreadID)
	if err != nil {
		return uuid.Nil, nil, err
	}
	var metadata map[string]any
	if json.Unmarshal(thread.Metadata, &metadata) == nil && metadata[withHistory] == true {
		return uuid.Nil, nil, errHistoryNotKept
	}
	return view.ThreadID, &domain.Parent{TurnID: &view.ID}, nil
}

// inputMessages returns the messages of an input: a text of the user, or a list of items. Those of other types are left out.
func inputMessages(input json.RawMessage) ([]sent, error) {
	var text string
	if json.Unmarshal(input, &text) == nil {
		if err := domain.CheckContent(text); err != nil {
			return nil, wrong("input", usecases.ContentCode(err), err.Error())
		}
		return []sent{{"input", ChatMessageParamRoleUser, input}}, nil
	}
	var items []ResponseInputItem
	if err := json.Unmarshal(input, &items); err != nil {
		return nil, wrong("input", "WRONG_TYPE", "must be a text or a list of items")
	}
	var messages []sent
	for i, item := range items {
		field := fmt.Sprintf("input.%d", i)
		switch {
		case item.Type != nil && *item.Type == "item_reference":
			return nil, wrong(field+".type", "NOT_ALLOWED", "must not be item_reference: send the message itself, or name a conversation")
		case item.Type != nil && *item.Type != "message":
			continue
		}
		role := ChatMessageParamRole("")
		if item.Role != nil {
			role = ChatMessageParamRole(*item.Role)
		}
		switch role {
		case ChatMessageParamRoleUser, ChatMessageParamRoleAssistant, ChatMessageParamRoleSystem, ChatMessageParamRoleDeveloper:
			messages = append(messages, sent{field, role, item.Content})
		default:
			return nil, wrong(field+".role", "NOT_ALLOWED", "must be user, assistant, system or developer")
		}
	}
	return messages, nil
}

const (
	responsePrefix = "resp_"
	messagePrefix  = "msg_"
)

// responseID returns the id of the response of a turn. It names the thread too, so that no other state is wanted.
func responseID(thread, turn uuid.UUID) string {
	return fmt.Sprintf("%s%x%x", responsePrefix, thread[:], turn[:])
}

// responseParts returns the thread and the turn of a response; zero ids, which nothing has, where the id is that of none.
func responseParts(id string) (thread, turn uuid.UUID) {
	const digits = 2 * len(uuid.UUID{}) // of one id in hexadecimal
	rest, found := strings.CutPrefix(id, responsePrefix)
	if !found || len(rest) != 2*digits {
		return uuid.Nil, uuid.Nil
	}
	thread, err := uuid.Parse(rest[:digits])
	turn, err2 := uuid.Parse(rest[digits:])
	if err != nil || err2 != nil || id != responseID(thread, turn) {
		return uuid.Nil, uuid.Nil
	}
	return thread, turn
}

func isTrue(b *bool) bool { return b != nil && *b }

// responseAnswer is a response that is not streamed.
type responseAnswer struct {
	call     responseCall
	turn     domain.TurnView
	replayed bool
}

// VisitCreateResponseResponse writes the response.
func (a responseAnswer) VisitCreateResponseResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetResponseResponse writes the response.
func (a responseAnswer) VisitGetResponseResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitCancelResponseResponse writes the response.
func (a responseAnswer) VisitCancelResponseResponse(w http.ResponseWriter) error { return a.write(w) }

func (a responseAnswer) write(w http.ResponseWriter) error {
	body, err := json.Marshal(a.call.response(a.turn))
	if err != nil {
		return fmt.Errorf("encode the response: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	a.call.setHeaders(h, a.turn, a.replayed)
	w.WriteHeader(http.StatusOK)
	_, err = w.Write(body)
	return err
}
