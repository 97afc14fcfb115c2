// Package openai calls models with OpenAI's Chat Completions API, which many other servers support too: Azure, Mistral,
// Groq, DeepSeek, OpenRouter, Ollama, vLLM, llama.cpp, Yandex. It repeats a call only without a parameter that the
// server does not support. All other retries are made by the guard of the model.
package openai

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/parley/parley/modules/conversations/adapters/modelstream"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/work/modelapi"
	"github.com/parley/parley/platform/work/webhook"
)

// publicURL is the URL of OpenAI's public API.
const publicURL = "https://api.openai.com/v1"

// Model calls a server of OpenAI's Chat Completions API.
type Model struct {
	Key, URL string        // the operator's; no key: the server wants none; no URL: publicURL
	Client   *http.Client  // for the operator's server
	Guarded  *http.Client  // for servers that workspaces name
	EndWait  time.Duration // for the rest of an answer whose end was announced; 0: 2 s
}

// Name returns the provider.
func (Model) Name() (provider, model string) { return domain.OpenAI, "" }

var errNothingMore = errors.New("the answer has ended")

// Reply calls a model and reads its answer, as specified by ports.Model.
func (m Model) Reply(ctx context.Context, p ports.Prompt, say func(text string)) (domain.Reply, error) {
	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	answer, sent, err := m.ask(reading, p)
	if err != nil {
		return domain.Reply{Begun: ctx.Err() != nil && sent()}, m.failure(ctx, err, false, p) // a server that is cut off may have been at work
	}
	defer func() { _ = answer.Body.Close() }() // what was read counts
	reply, err := modelstream.Read(modelstream.Source{
		Body: answer.Body, Decode: decode, Stop: func() { stop(errNothingMore) }, Wait: m.EndWait,
		Tools: len(p.Tools) > 0 && p.ToolChoice != domain.ToolsNone, OnCall: p.OnCall,
	}, say)
	reply.Begun = true
	switch gaveUp, ok := errors.AsType[modelstream.GaveUpError](err); {
	case ok:
		return reply, fmt.Errorf("%w: its finish reason is %q", errBrokeOff, webhook.Code(gaveUp.Reason))
	case err == nil || ports.PermanentModelFailure(err):
		return reply, err
	}
	return reply, m.failure(ctx, err, true, p)
}

// ask sends the prompt, and returns the response once its head has come and is no error. Sent reports whether the last
// call was sent completely.
func (m Model) ask(ctx context.Context, p ports.Prompt) (answer *http.Response, sent func() bool, err error) {
	key, base, client := m.Key, m.URL, m.Client
	if p.Access != nil {
		key, base, client = p.Access.Key, p.Access.BaseURL, m.Guarded
	}
	if base == "" {
		base = publicURL
	}
	target, err := url.Parse(base)
	if err != nil {
		return nil, func() bool { return false }, err
	}
	api := sdk.Client{Options: append(credentials(target, key), // NewClient would read the environment
		option.WithBaseURL(base), option.WithHTTPClient(client), option.WithMaxRetries(0), option.WithJSONSet("stream", true))}
	path := "chat/completions"
	if target.RawQuery != "" { // as Azure wants it: ?api-version=2024-10-21
		path += "?" + target.RawQuery
	}
	body, adjusted := params(p, base == publicURL), map[string]bool{}
	for {
		traced, isSent := webhook.TraceSent(ctx)
		answer = nil
		err = api.Post(traced, path, body, &answer)
		switch {
		case err == nil && answer.StatusCode > 299:
			_ = answer.Body.Close()
			answer.Body = http.NoBody
			return nil, isSent, &sdk.Error{StatusCode: answer.StatusCode, Request: answer.Request, Response: answer} // a redirect, which nobody follows
		case err == nil || !adjust(&body, answer, adjusted): // at most three times: each parameter once
			return answer, isSent, asRefusal(answer, err)
		}
	}
}

// credentials puts the key where a server expects it.
func credentials(target *url.URL, key string) []option.RequestOption {
	if key == "" {
		return nil
	}
	name, value := modelapi.KeyHeader(target, key)
	return []option.RequestOption{option.WithHeader(name, value)}
}

// asRefusal returns the library's error for an HTTP response that is an error, also where its body is not in OpenAI's
// form.
func asRefusal(answer *http.Response, err error) error {
	if _, ok := errors.AsType[*sdk.Error](err); ok || err == nil || answer == nil || answer.StatusCode < 400 {
		return err
	}
	return &sdk.Error{StatusCode: answer.StatusCode, Request: answer.Request, Response: answer}
}
