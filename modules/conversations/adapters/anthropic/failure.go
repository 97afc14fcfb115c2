package anthropic

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	sdk "github.com/anthropics/anthropic-sdk-go"

	"github.com/parley/parley/platform/resilience"
	"github.com/parley/parley/platform/webhook"
)

var errBrokeOff = errors.New("anthropic broke off its answer")

// failure says what went wrong in words that may be stored and shown, and how it is to be counted: a server that has begun
// to answer (begun) and takes too long is one that works.
func failure(ctx context.Context, err error, begun bool) error {
	if ctx.Err() != nil {
		err := fmt.Errorf("anthropic did not answer: %w", context.Cause(ctx))
		if begun {
			return resilience.Uncounted(err)
		}
		return err
	}
	if answer, ok := errors.AsType[*sdk.Error](err); ok {
		status := answer.StatusCode
		kind := string(answer.Type())
		if status < 400 { // it came within the answer, whose status had gone before
			return fmt.Errorf("anthropic ended its answer with an error%s", after(kind))
		}
		said := fmt.Errorf("anthropic answered %d%s", status, after(kind))
		return resilience.Status(status, webhook.RetryAfter(answer.Response, time.Now()), said)
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("anthropic: %w", webhook.Why(err))
	}
	return errBrokeOff
}

// after gives a code as the end of a sentence, where it is one.
func after(code string) string {
	if code = webhook.Code(code); code == "" {
		return ""
	}
	return " " + code
}
