package anthropic

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"time"

	sdk "github.com/anthropics/anthropic-sdk-go"

	"github.com/parley/parley/platform/resilience"
	"github.com/parley/parley/platform/webhook"
)

var errBrokeOff = errors.New("anthropic broke off its answer")

// word is what an error's code looks like. Whatever else a server says may hold parts of the key or of the prompt.
var word = regexp.MustCompile(`^[a-z0-9_.-]{1,64}$`)

// failure says what went wrong in words that may be stored and shown, and how it is to be counted.
func failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("anthropic did not answer: %w", context.Cause(ctx))
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
	if !word.MatchString(code) {
		return ""
	}
	return " " + code
}
