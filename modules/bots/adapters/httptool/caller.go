// Package httptool calls tools of the kind http: one request to a URL that a workspace has set.
package httptool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/parley/parley/modules/bots/adapters/tooltarget"
	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/resilience"
	"github.com/parley/parley/platform/work/webhook"
)

// Caller calls tools by HTTP. It is safe for concurrent use.
type Caller struct{ Target tooltarget.Client }

var _ ports.ToolCaller = Caller{}

// Call calls the target once, within the time of the tool.
func (c Caller) Call(ctx context.Context, call ports.ToolCall) (domain.ToolOutcome, error) {
	begun := time.Now()
	outcome, err := c.call(ctx, call)
	outcome.Duration = time.Since(begun)
	callctx.Waited(ctx, outcome.Duration)
	return outcome, err
}

func (c Caller) call(ctx context.Context, call ports.ToolCall) (outcome domain.ToolOutcome, err error) {
	v := call.Version
	if len(call.Arguments) == 0 {
		call.Arguments = json.RawMessage("{}")
	}
	refused := c.Target.Guarded(ctx, v.Definition.URL, v.Definition.Timeout, func(ctx context.Context) (err error) {
		outcome, err = c.ask(ctx, call)
		return err
	})
	if refused != "" {
		return tooltarget.Failed(v, refused), nil
	}
	return outcome, nil
}

// ask sends the request and reads the answer. The error says to the guard how the target is.
func (c Caller) ask(ctx context.Context, call ports.ToolCall) (domain.ToolOutcome, error) {
	v, d := call.Version, call.Version.Definition
	// Whatever was written of a request may have had its effect: what counts is not that all of it was.
	var begun atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { begun.Store(true) }})
	request, err := newRequest(traced, d, call.Arguments)
	if unfit, ok := errors.AsType[unfitError](err); ok {
		return domain.ToolOutcome{Status: domain.ToolInvalid, Text: unfit.Error()}, resilience.Uncounted(err)
	}
	if err != nil {
		return tooltarget.Failed(v, "its URL cannot be called"), resilience.Uncounted(err)
	}
	request.Header.Set("Accept", "application/json, text/*;q=0.9, */*;q=0.1")
	request.Header.Set("User-Agent", "parley-tools/1")
	if d.IdempotencyHeader != "" {
		request.Header.Set(d.IdempotencyHeader, call.Operation.String())
	}
	if err := c.Target.Authorize(ctx, request, call.Credentials); err != nil {
		return tooltarget.Failed(v, "it was not called: "+err.Error()), err
	}
	answer, err := c.Target.HTTP.Do(request)
	if err != nil {
		return tooltarget.Lost(v, begun.Load(), 0, err), err
	}
	defer func() { _ = answer.Body.Close() }() // what was read counts
	if answer.StatusCode == http.StatusUnauthorized {
		c.Target.Forget(ctx, call.Credentials)
	}
	return read(v, answer)
}

// read reads an answer.
func read(v domain.ToolVersion, answer *http.Response) (domain.ToolOutcome, error) {
	status := answer.StatusCode
	if status >= 300 && status < 400 {
		outcome := tooltarget.Failed(v, fmt.Sprintf("it answered %d, a redirect, which is not followed", status))
		outcome.HTTPStatus = status
		return outcome, resilience.Answered(errors.New(outcome.Text))
	}
	text, truncated, err := readText(answer, v.Definition.MaxOutputBytes)
	if err != nil && status >= 200 && status < 300 {
		return tooltarget.Lost(v, true, status, err), err
	}
	outcome := domain.ToolOutcome{Status: domain.ToolSucceeded, Text: text, Truncated: truncated, HTTPStatus: status}
	if status >= 200 && status < 300 {
		return outcome, nil
	}
	outcome.Status = domain.ToolFailed
	outcome.Text, outcome.Truncated = tooltarget.Cut(fmt.Sprintf("The tool %s answered the error %d.\n%s", v.Name, status, text), v.Definition.MaxOutputBytes)
	outcome.Truncated = outcome.Truncated || truncated
	return outcome, resilience.Status(status, webhook.RetryAfter(answer, time.Now()), fmt.Errorf("the tool answered %d", status))
}
