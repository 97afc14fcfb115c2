package openai

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/ssestream"

	"github.com/parley/parley/modules/conversations/adapters/modelerror"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/work/resilience"
	"github.com/parley/parley/platform/work/webhook"
)

var errBrokeOff = errors.New("openai broke off its answer")

// failure returns the error of a call, in a form that may be stored and logged, and that counts correctly for the
// circuit breaker: a server that has begun to answer (begun) and takes too long is not down.
func (m Model) failure(ctx context.Context, err error, begun bool, p ports.Prompt) error {
	if ctx.Err() != nil {
		err := fmt.Errorf("openai did not answer: %w", context.Cause(ctx))
		if begun {
			return resilience.Uncounted(err)
		}
		return err
	}
	refusal := modelerror.Refusal{Provider: "openai", Key: m.Key, Prompt: p}
	if p.Access != nil {
		refusal.Own, refusal.Key = true, p.Access.Key
	}
	if answer, ok := errors.AsType[*sdk.Error](err); ok {
		refusal.Status = answer.StatusCode
		refusal.RetryAfter = webhook.RetryAfter(answer.Response, time.Now())
		refusal.Body, _ = io.ReadAll(answer.Response.Body) // the library has already read it
		return refusal.Err()
	}
	if broken, ok := errors.AsType[*ssestream.StreamError](err); ok {
		refusal.Status, refusal.Body = http.StatusOK, broken.Event.Data
		return refusal.Err()
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("openai: %w", webhook.Why(err))
	}
	return errBrokeOff
}
