package openai

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// headerRetryCount is how often OpenAI's clients have sent a call before. They send no operation id.
const headerRetryCount = "X-Stainless-Retry-Count"

// joinFor is how long after a call the same call sent again joins its operation.
const joinFor = 10 * time.Minute

// Recent finds earlier calls.
type Recent interface {
	// Recent returns the newest operation of the caller for the request of the call, since a time; the zero id if there
	// is none.
	Recent(ctx context.Context, since time.Time) (uuid.UUID, error)
}

// join gives a call that a client sends again the operation of the call before it, unless the client has named one.
func (s Server) join(next StrictHandlerFunc, operation string) StrictHandlerFunc {
	if operation != "CreateChatCompletion" && operation != "CreateResponse" {
		return next
	}
	return func(c *echo.Context, request any) (any, error) {
		ctx := c.Request().Context()
		count, err := strconv.Atoi(c.Request().Header.Get(headerRetryCount))
		call := callctx.From(ctx)
		if err != nil || count < 1 || call.Operation.Given {
			return next(c, request)
		}
		id, err := s.Recent.Recent(ctx, s.Now().Add(-joinFor))
		if err != nil {
			return nil, err
		}
		if id != uuid.Nil {
			again := *call
			again.Operation.ID = id
			ctx := callctx.With(ctx, &again)
			left, err := s.Attend.Left(ctx)
			if err != nil {
				return nil, err
			}
			if left {
				return next(c, request)
			}
			c.SetRequest(c.Request().WithContext(ctx))
			c.Response().Header().Set("X-Operation-Id", id.String())
		}
		return next(c, request)
	}
}

// wait returns the turn of an operation that runs already when it has ended; inProgress where it cannot be found.
func (s Server) wait(ctx context.Context, thread uuid.UUID, inProgress error) (domain.TurnView, error) {
	turn, err := s.Views.OfOperation(ctx)
	if err != nil || turn == uuid.Nil {
		return domain.TurnView{}, errors.Join(inProgress, err)
	}
	ended := func(domain.TurnView, []domain.Event) error { return ctx.Err() } // the caller may have left
	if err := s.Follow.Do(ctx, thread, turn, 0, ended); err != nil {
		return domain.TurnView{}, fail.ErrUnavailable.Because(err)
	}
	view, err := s.Views.Get(ctx, thread, turn)
	switch {
	case err != nil:
		return view, err
	case view.Status == domain.TurnFailed:
		return view, failureOf(view)
	case view.Status != domain.TurnCompleted:
		return view, inProgress
	}
	return view, nil
}
