package openai

import (
	"context"
	"errors"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/request/access"
	"github.com/parley/parley/platform/request/fail"
)

// chat is a call of chat completions.
type chat struct {
	asked
	includeUsage bool // in a chunk of the stream
}

// CreateChatCompletion takes a turn and returns its answer, or streams it.
func (s Server) CreateChatCompletion(ctx context.Context, r CreateChatCompletionRequestObject) (CreateChatCompletionResponseObject, error) {
	c, err := s.decode(ctx, r)
	if err != nil {
		return nil, err
	}
	if r.Body.Stream != nil && *r.Body.Stream {
		return chatStream{server: &s, ctx: ctx, chat: c}, nil
	}
	view, replayed, err := s.take(ctx, c.asked)
	if err != nil {
		return nil, err
	}
	return completion{chat: c, turn: view, replayed: replayed}, nil
}

// take takes the turn of a call and returns it when it has ended. One that runs already under the operation of the call
// is waited for.
func (s Server) take(ctx context.Context, a asked) (view domain.TurnView, replayed bool, err error) {
	watched, stop := s.Access.Watch(ctx)
	defer stop()
	defer func() {
		if end := access.EndOf(watched, nil); end != nil && err == nil {
			err = end
		}
	}()
	err = s.attended(ctx, a, func() error {
		answer, err := s.Take.Do(ctx, a.turn)
		switch {
		case errors.Is(err, fail.ErrInProgress):
			replayed = true
			view, err = s.wait(ctx, a.turn.ThreadID, err)
		case err == nil:
			replayed = answer.Replayed
			view, err = s.Views.Get(ctx, a.turn.ThreadID, answer.TurnID)
		}
		return err
	})
	return view, replayed && err == nil, err
}

// attended runs a call that takes a turn. Without a thread that stays the turn is cancelled when the client is gone.
func (s Server) attended(ctx context.Context, a asked, run func() error) error {
	if a.stays {
		return run()
	}
	return s.Attend.Do(ctx, run)
}

// taking takes a turn for the readers of its stream.
func (s Server) taking(a asked) func(context.Context, usecases.Reader) error {
	return func(ctx context.Context, read usecases.Reader) error {
		return s.attended(ctx, a, func() error { return s.Take.DoStreamed(ctx, a.turn, 0, read) })
	}
}

// decode returns the turn of a call.
func (s Server) decode(ctx context.Context, r CreateChatCompletionRequestObject) (chat, error) {
	said, err := read(sentMessages(r.Body.Messages))
	if err != nil {
		return chat{}, err
	}
	in := ask{model: r.Body.Model, said: said, store: r.Body.Store, temperature: r.Body.Temperature, maxTokens: r.Body.MaxCompletionTokens}
	if in.maxTokens == nil {
		in.maxTokens = r.Body.MaxTokens
	}
	in.place, err = placeNames{
		header: r.Params.XParleyThreadID, openWebUI: r.Params.XOpenWebUIChatID, metadata: r.Body.Metadata, conversation: r.Body.Conversation,
	}.place(said)
	if err != nil {
		return chat{}, err
	}
	c := chat{includeUsage: r.Body.StreamOptions != nil && r.Body.StreamOptions.IncludeUsage != nil && *r.Body.StreamOptions.IncludeUsage}
	c.asked, err = s.prepare(ctx, in)
	return c, err
}
