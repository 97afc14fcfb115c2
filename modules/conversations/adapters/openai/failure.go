package openai

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"time"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/ssestream"

	"github.com/parley/parley/platform/resilience"
	"github.com/parley/parley/platform/webhook"
)

var errBrokeOff = errors.New("openai broke off its answer")

// word is what an error's code looks like. Whatever else a server says may hold parts of the key or of the prompt.
var word = regexp.MustCompile(`^[a-z0-9_.-]{1,64}$`)

// failure says what went wrong in words that may be stored and shown, and how it is to be counted.
func failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("openai did not answer: %w", context.Cause(ctx))
	}
	if answer, ok := errors.AsType[*sdk.Error](err); ok {
		said := fmt.Errorf("openai answered %d", answer.StatusCode)
		for _, code := range []string{answer.Code, answer.Type} {
			if word.MatchString(code) {
				said = fmt.Errorf("openai answered %d %s", answer.StatusCode, code)
				break
			}
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
