// Package anthropic calls models with Anthropic's Messages API. It repeats a call only without a temperature, or without
// blocks of search results, that the model does not support. All other retries are made by the guard of the model.
package anthropic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"github.com/parley/parley/modules/conversations/adapters/modelprompt"
	"github.com/parley/parley/modules/conversations/adapters/modelstream"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/work/webhook"
)

// publicURL is the URL of Anthropic's public API.
const publicURL = "https://api.anthropic.com"

const (
	usualAnswer = 4096 // tokens: this provider requires a limit, also where the bot has none
	hottest     = 1    // the highest temperature
)

// Model calls a server of Anthropic's Messages API.
type Model struct {
	Key, URL string        // the operator's; no URL: publicURL
	Client   *http.Client  // for the operator's server
	Guarded  *http.Client  // for servers that workspaces name
	EndWait  time.Duration // for the rest of an answer whose end was announced; 0: 2 s
}

// Name returns the provider.
func (Model) Name() (provider, model string) { return domain.Anthropic, "" }

var errNothingMore = errors.New("the answer has ended")

// Reply calls a model and reads its answer, as specified by ports.Model.
func (m Model) Reply(ctx context.Context, p ports.Prompt, say func(text string)) (domain.Reply, error) {
	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	traced, sent := webhook.TraceSent(reading)
	answer, err := m.ask(traced, p)
	if err != nil {
		return domain.Reply{Begun: ctx.Err() != nil && sent()}, m.failure(ctx, err, false, p) // a server that is cut off may have been at work
	}
	defer func() { _ = answer.Body.Close() }() // what was read counts
	decoder := decoder{answer: answer, citations: citations{found: p.Found}}
	reply, err := modelstream.Read(modelstream.Source{
		Body: answer.Body, Decode: decoder.decode, Stop: func() { stop(errNothingMore) }, Wait: m.EndWait,
		Tools: len(p.Tools) > 0 && p.ToolChoice != domain.ToolsNone, OnCall: p.OnCall,
	}, say)
	reply.Begun = true
	switch gaveUp, ok := errors.AsType[modelstream.GaveUpError](err); {
	case ok:
		return reply, fmt.Errorf("%w: its stop reason is %q", errBrokeOff, webhook.Code(gaveUp.Reason))
	case err == nil || ports.PermanentModelFailure(err):
		return reply, err
	}
	return reply, m.failure(ctx, err, true, p)
}

// ask sends the prompt, and returns the response once its head has come and is no error.
func (m Model) ask(ctx context.Context, p ports.Prompt) (*http.Response, error) {
	key, base, client := m.Key, m.URL, m.Client
	if p.Access != nil {
		key, base, client = p.Access.Key, p.Access.BaseURL, m.Guarded
	}
	if base == "" {
		base = publicURL
	}
	target, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	api := sdk.Client{Options: []option.RequestOption{ // NewClient would read the environment
		option.WithBaseURL(base), option.WithHTTPClient(client), option.WithMaxRetries(0), option.WithAPIKey(key), option.WithJSONSet("stream", true),
	}}
	path := "v1/messages"
	if target.RawQuery != "" {
		path += "?" + target.RawQuery
	}
	var answer *http.Response
	results := searchResults(p.Found.Sources)
	err = api.Post(ctx, path, params(p, results), &answer)
	if err != nil && len(results) > 0 && refusesResults(answer) {
		results, answer = nil, nil
		err = api.Post(ctx, path, params(p, nil), &answer)
	}
	if names := modelstream.UnsupportedParameter(answer); err != nil && p.Temperature != nil && names != nil && names("temperature") {
		p.Temperature = nil // the newest models have one of their own
		answer = nil
		err = api.Post(ctx, path, params(p, results), &answer)
	}
	if err != nil {
		return nil, asRefusal(answer, err)
	}
	if answer.StatusCode > 299 { // a redirect, which is not followed
		_ = answer.Body.Close()
		answer.Body = http.NoBody
		return nil, &sdk.Error{StatusCode: answer.StatusCode, Request: answer.Request, Response: answer}
	}
	return answer, nil
}

// asRefusal returns the library's error for an HTTP response that is an error, also where its body is not in
// Anthropic's form.
func asRefusal(answer *http.Response, err error) error {
	if _, ok := errors.AsType[*sdk.Error](err); ok || answer == nil || answer.StatusCode < 400 {
		return err
	}
	return &sdk.Error{StatusCode: answer.StatusCode, Request: answer.Request, Response: answer}
}

// params returns the body of the call. Results are the sources of the prompt; none: they are sent as text.
func params(p ports.Prompt, results []sdk.ContentBlockParamUnion) sdk.MessageNewParams {
	body := sdk.MessageNewParams{Model: p.Model, MaxTokens: usualAnswer}
	rules := domain.CitedRules
	if len(p.Found.Sources) > 0 && len(results) == 0 {
		rules = domain.SourceRules(p.Found.Boundary)
		p.Content = domain.SourceText(p.Found.Sources, p.Found.Boundary) + "\n\n" + p.Content
	}
	if instruction := p.Instruction(rules); instruction != "" {
		body.System = []sdk.TextBlockParam{{Text: instruction}}
	}
	messages, question := modelprompt.Messages(p, p.Content)
	for i, m := range messages {
		var first []sdk.ContentBlockParamUnion
		if i == question {
			first = slices.Clip(results)
		}
		body.Messages = append(body.Messages, messageOf(m, first))
	}
	offer(&body, p, messages)
	if p.Temperature != nil {
		body.Temperature = sdk.Float(min(*p.Temperature, hottest))
	}
	if p.MaxOutputTokens != nil {
		body.MaxTokens = int64(*p.MaxOutputTokens)
	}
	return body
}
