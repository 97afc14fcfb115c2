// Package httptool calls tools of the kind http: one request to a URL that a workspace has set.
package httptool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/resilience"
	"github.com/parley/parley/platform/work/webhook"
)

// Caller calls tools by HTTP. It is safe for concurrent use.
type Caller struct {
	Client *http.Client      // that of webhook.NewStreamClient: it connects to allowed addresses only, and follows no redirects
	Guard  *resilience.Group // a target is a host, a source is a workspace
	Slots  *resilience.Slots // of the calls of this process
	Tokens *Tokens
}

var _ ports.ToolCaller = Caller{}

const slotWait = 2 * time.Second // for a slot

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
	workspace := callctx.From(ctx).Principal.WorkspaceID
	leave, err := c.Slots.Wait(ctx, slotWait, workspace)
	if errors.Is(err, resilience.ErrNoSlot) {
		return failed(v, "it was not called: too many calls are running"), nil
	}
	if err != nil {
		return failed(v, "it was not called: the call was ended before"), nil
	}
	defer leave()
	asked := false
	err = c.Guard.For(workspace.String()).Do(ctx, target(v.Definition.URL), func(ctx context.Context) (err error) {
		asked = true
		ctx, cancel := context.WithTimeout(ctx, v.Definition.Timeout)
		defer cancel()
		outcome, err = c.ask(ctx, call)
		return err
	})
	if wait, refused := resilience.IsRefused(err); refused && !asked {
		return failed(v, fmt.Sprintf("it was not called, as it has failed too often just now or too many calls are running: it can be called again in %d seconds", 1+int(wait.Seconds()))), nil
	}
	if !asked {
		return failed(v, "it was not called: the call was ended before"), nil
	}
	return outcome, nil // the rest of the error is for the guard
}

// target returns the host and the port of a URL.
func target(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Scheme + "://" + u.Host)
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
		return failed(v, "its URL cannot be called"), resilience.Uncounted(err)
	}
	request.Header.Set("Accept", "application/json, text/*;q=0.9, */*;q=0.1")
	request.Header.Set("User-Agent", "parley-tools/1")
	if d.IdempotencyHeader != "" {
		request.Header.Set(d.IdempotencyHeader, call.Operation.String())
	}
	if err := c.authorize(ctx, request, call.Credentials); err != nil {
		return failed(v, "it was not called: "+err.Error()), err
	}
	answer, err := c.Client.Do(request)
	if err != nil {
		return lost(v, begun.Load(), 0, err), err
	}
	defer func() { _ = answer.Body.Close() }() // what was read counts
	if answer.StatusCode == http.StatusUnauthorized {
		c.forget(ctx, call.Credentials)
	}
	return read(v, answer)
}

// read reads an answer.
func read(v domain.ToolVersion, answer *http.Response) (domain.ToolOutcome, error) {
	status := answer.StatusCode
	if status >= 300 && status < 400 {
		outcome := failed(v, fmt.Sprintf("it answered %d, a redirect, which is not followed", status))
		outcome.HTTPStatus = status
		return outcome, resilience.Answered(errors.New(outcome.Text))
	}
	text, truncated, err := readText(answer, v.Definition.MaxOutputBytes)
	if err != nil && status >= 200 && status < 300 {
		return lost(v, true, status, err), err
	}
	outcome := domain.ToolOutcome{Status: domain.ToolSucceeded, Text: text, Truncated: truncated, HTTPStatus: status}
	if status >= 200 && status < 300 {
		return outcome, nil
	}
	outcome.Status = domain.ToolFailed
	outcome.Text, outcome.Truncated = cut(fmt.Sprintf("The tool %s answered the error %d.\n%s", v.Name, status, text), v.Definition.MaxOutputBytes)
	outcome.Truncated = outcome.Truncated || truncated
	return outcome, resilience.Status(status, webhook.RetryAfter(answer, time.Now()), fmt.Errorf("the tool answered %d", status))
}

// lost returns the outcome of a call without a whole answer.
func lost(v domain.ToolVersion, begun bool, status int, err error) domain.ToolOutcome {
	why := webhook.Why(err).Error()
	if errors.Is(err, context.Canceled) {
		why = "the call was ended"
	}
	if !begun {
		return failed(v, "it was not called: "+why)
	}
	if status != 0 {
		why = "its answer broke off"
	}
	text, truncated := cut(fmt.Sprintf("It is unknown whether the call of the tool %s has had its effect: it was sent, and %s.", v.Name, why), v.Definition.MaxOutputBytes)
	return domain.ToolOutcome{Status: domain.ToolUnknown, Text: text, Truncated: truncated, HTTPStatus: status}
}

func failed(v domain.ToolVersion, why string) domain.ToolOutcome {
	text, truncated := cut(fmt.Sprintf("The tool %s has failed: %s.", v.Name, why), v.Definition.MaxOutputBytes)
	return domain.ToolOutcome{Status: domain.ToolFailed, Text: text, Truncated: truncated}
}
