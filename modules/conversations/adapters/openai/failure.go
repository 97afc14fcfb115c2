package openai

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/ssestream"

	"github.com/parley/parley/platform/resilience"
	"github.com/parley/parley/platform/webhook"
)

var errBrokeOff = errors.New("openai broke off its answer")

// failure says what went wrong in words that may be stored and shown, and how it is to be counted: a server that has begun
// to answer (begun) and takes too long is one that works.
func failure(ctx context.Context, err error, begun bool) error {
	if ctx.Err() != nil {
		err := fmt.Errorf("openai did not answer: %w", context.Cause(ctx))
		if begun {
			return resilience.Uncounted(err)
		}
		return err
	}
	if answer, ok := errors.AsType[*sdk.Error](err); ok {
		said := fmt.Errorf("openai answered %d", answer.StatusCode)
		if code := cmp.Or(webhook.Code(answer.Code), webhook.Code(answer.Type)); code != "" {
			said = fmt.Errorf("openai answered %d %s", answer.StatusCode, code)
		}
		return resilience.Status(answer.StatusCode, webhook.RetryAfter(answer.Response, time.Now()), said)
	}
	if _, ok := errors.AsType[*ssestream.StreamError](err); ok {
		return errors.New("openai ended its answer with an error")
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("openai: %w", webhook.Why(err))
	}
	return errBrokeOff
}
