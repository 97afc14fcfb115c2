// Package mcptool lists and calls tools of MCP servers, by streamable HTTP. Each list and each call is a session of its own. Servers come from
// outside: what they answer is bounded, and no definition is used but the one that an editor has accepted.
package mcptool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/parley/parley/modules/bots/adapters/tooltarget"
	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/resilience"
	"github.com/parley/parley/platform/work/webhook"
)

// Caller calls tools of MCP servers. It is safe for concurrent use.
type Caller struct {
	Target tooltarget.Client // that of calls of the kind http, so that both share their bounds
}

var (
	_ ports.ToolCaller  = Caller{}
	_ ports.ToolServers = Caller{}
)

const listTimeout = 15 * time.Second

// Call calls the tool once, within its time, if the server has the definition of it that is pinned. The definition is asked for in the same
// session each time, so that a server that changes it is never called by the old one.
func (c Caller) Call(ctx context.Context, call ports.ToolCall) (outcome domain.ToolOutcome, err error) {
	begun := time.Now()
	d := call.Version.Definition
	refused := c.Target.Guarded(ctx, d.URL, d.Timeout, func(ctx context.Context) (err error) {
		outcome, err = c.ask(ctx, call)
		return err
	})
	if refused != "" {
		outcome = tooltarget.Failed(call.Version, refused)
	}
	outcome.Duration = time.Since(begun)
	callctx.Waited(ctx, outcome.Duration)
	return outcome, nil
}

// ask makes a session with one call. The error says to the guard how the server is.
func (c Caller) ask(ctx context.Context, call ports.ToolCall) (domain.ToolOutcome, error) {
	v, d := call.Version, call.Version.Definition
	w := c.open(ctx, call.Credentials)
	defer w.close()
	session, err := w.connect(ctx, d.URL)
	if err != nil {
		return tooltarget.Failed(v, "it was not called: "+w.why(err)), w.verdict(err)
	}
	defer w.leave(session)
	tool, err := find(ctx, session, d.RemoteName)
	if err != nil {
		return tooltarget.Failed(v, "it was not called: "+w.why(err)), w.verdict(err)
	}
	if tool == nil {
		return tooltarget.Failed(v, fmt.Sprintf("it was not called, as its server has no tool %q any more", d.RemoteName)), nil
	}
	if remote := toRemote(tool); remote.Hash != d.DefinitionHash {
		outcome := tooltarget.Failed(v, fmt.Sprintf("it was not called, as its definition on the server is not that of its version %d: an editor must review it", v.Number))
		outcome.Changed = &remote
		return outcome, nil
	}
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: d.RemoteName, Arguments: arguments(call.Arguments)})
	if err != nil {
		return failure(w, v, err)
	}
	return toOutcome(v, result), nil
}

// arguments returns what is sent as the arguments of a call.
func arguments(given json.RawMessage) json.RawMessage {
	if len(given) == 0 {
		return json.RawMessage("{}")
	}
	return given
}

// failure returns the outcome of a call without a result. What counts is whether the call was sent, and whether the server has answered it.
func failure(w *wire, v domain.ToolVersion, err error) (domain.ToolOutcome, error) {
	reply := w.last()
	switch {
	case !w.begun.Load():
		return tooltarget.Failed(v, "it was not called: "+w.why(err)), w.verdict(err)
	case reply.status >= http.StatusMultipleChoices:
		outcome := domain.ToolOutcome{Status: domain.ToolFailed, HTTPStatus: reply.status}
		outcome.Text, outcome.Truncated = tooltarget.Cut(fmt.Sprintf("The tool %s answered the error %d.\n%s", v.Name, reply.status, reply.said), v.Definition.MaxOutputBytes)
		return outcome, w.verdict(err)
	}
	if refused, ok := errors.AsType[*jsonrpc.Error](err); ok && reply.status != 0 && !errors.Is(err, mcp.ErrConnectionClosed) {
		outcome := domain.ToolOutcome{Status: domain.ToolFailed, HTTPStatus: reply.status}
		text := tooltarget.Clean(fmt.Sprintf("The tool %s answered the error %d: %s", v.Name, refused.Code, refused.Message))
		outcome.Text, outcome.Truncated = tooltarget.Cut(text, v.Definition.MaxOutputBytes)
		return outcome, resilience.Answered(err)
	}
	if reply.err != nil {
		err = reply.err
	}
	return tooltarget.Lost(v, true, reply.status, err), err
}

// List returns the tools of a server, in its order. The error is a *domain.RuleError.
func (c Caller) List(ctx context.Context, url string, secrets *domain.Credentials) (tools []domain.RemoteTool, err error) {
	refused := c.Target.Guarded(ctx, url, listTimeout, func(ctx context.Context) error {
		w := c.open(ctx, secrets)
		defer w.close()
		session, failed := w.connect(ctx, url)
		if failed == nil {
			defer w.leave(session)
			tools, failed = list(ctx, session)
		}
		if failed == nil {
			return nil
		}
		err = w.unfit(failed)
		return w.verdict(failed)
	})
	if refused != "" {
		return nil, &domain.RuleError{Field: "url", Rule: "must lead to an MCP server that answers: " + refused}
	}
	return tools, err
}

// unfit returns the *domain.RuleError for a server that could not be asked.
func (w *wire) unfit(failed error) error {
	reply := w.last()
	own, _ := errors.AsType[ownError](reply.err)
	if own.ofCredentials || reply.status == http.StatusUnauthorized || reply.status == http.StatusForbidden {
		return &domain.RuleError{Field: "credentials", Rule: "must be those that the server accepts: " + w.why(failed)}
	}
	return &domain.RuleError{Field: "url", Rule: "must lead to an MCP server that serves streamable HTTP: " + w.why(failed)}
}

// why returns in a few words why there is no answer. It reveals nothing of the internal network.
func (w *wire) why(err error) string {
	reply := w.last()
	switch {
	case reply.err != nil:
		return reason(reply.err)
	case reply.status >= http.StatusMultipleChoices && reply.status < http.StatusBadRequest:
		return fmt.Sprintf("it answered %d, a redirect, which is not followed", reply.status)
	case reply.status >= http.StatusBadRequest:
		return fmt.Sprintf("it answered %d", reply.status)
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		return reason(err)
	}
	text, _ := tooltarget.Cut(tooltarget.Clean("its answer is none of MCP: "+err.Error()), maxReason)
	return text
}

func reason(err error) string {
	if own, ok := errors.AsType[ownError](err); ok {
		return own.Error()
	}
	if errors.Is(err, context.Canceled) {
		return "the call was ended"
	}
	return webhook.Why(err).Error()
}

// verdict returns the error that says to the guard how the server is.
func (w *wire) verdict(err error) error {
	if reply := w.last(); reply.err == nil && reply.status >= http.StatusMultipleChoices {
		if reply.status < http.StatusBadRequest {
			return resilience.Answered(err)
		}
		return resilience.Status(reply.status, reply.wait, err)
	}
	if own, ok := errors.AsType[ownError](w.last().err); ok && own.ofCredentials {
		return resilience.Uncounted(err)
	}
	return err
}
