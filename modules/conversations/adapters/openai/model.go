// Package openai asks models by OpenAI's Chat Completions, which many other servers speak too: Ollama, vLLM, llama.cpp,
// Yandex. It asks once: what is repeated, and for how long, is for whoever guards it.
package openai

import (
	"context"
	"net/http"
	"strings"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/webhook"
)

// PublicURL is where OpenAI itself is.
const PublicURL = "https://api.openai.com/v1"

// longestAnswer bounds the text of an answer, in bytes; beyond it the answer ends.
const longestAnswer = 1 << 20

// Model implements ports.Model.
type Model struct {
	Key, URL string       // the operator's; no key: the server wants none; no URL: PublicURL
	Client   *http.Client // for the operator's server
	Guarded  *http.Client // for servers that workspaces name
}

// Name implements ports.Model.
func (Model) Name() (provider, model string) { return domain.OpenAI, "" }

// Reply implements ports.Model.
func (m Model) Reply(ctx context.Context, p ports.Prompt, say func(text string)) (domain.Reply, error) {
	service, public := m.service(p.Access)
	ctx, sent := webhook.TraceSent(ctx)
	stream := service.NewStreaming(ctx, params(p, public))
	defer func() { _ = stream.Close() }() // what was read counts
	begun := stream.Err() == nil          // the head of the answer is there
	var text strings.Builder
	reply := domain.Reply{}
	for stream.Next() {
		chunk := stream.Current()
		if chunk.JSON.Usage.Valid() {
			reply.InputTokens = new(int(chunk.Usage.PromptTokens))
			reply.OutputTokens = new(int(chunk.Usage.CompletionTokens))
			reply.CachedTokens = new(int(chunk.Usage.PromptTokensDetails.CachedTokens))
		}
		for _, choice := range chunk.Choices {
			if piece := choice.Delta.Content; piece != "" {
				text.WriteString(piece)
				say(piece)
			}
			if why := finish(choice.FinishReason); why != "" {
				reply.FinishReason = why
			}
		}
		if text.Len() > longestAnswer {
			reply.FinishReason = domain.FinishLength
			break
		}
	}
	reply.Begun = begun || ctx.Err() != nil && sent() // a server that is cut off may have been at work
	if err := stream.Err(); err != nil {
		return reply, failure(ctx, err, begun)
	}
	if reply.FinishReason == "" {
		return reply, errBrokeOff
	}
	reply.Content = text.String()
	return reply, nil
}

// service is made for each call, as the key may be another; the client is what keeps connections.
func (m Model) service(own *ports.Access) (service sdk.ChatCompletionService, public bool) {
	key, url, client := m.Key, m.URL, m.Client
	if own != nil {
		key, url, client = own.Key, own.BaseURL, m.Guarded
	}
	if url == "" {
		url = PublicURL
	}
	options := []option.RequestOption{option.WithBaseURL(url), option.WithHTTPClient(client), option.WithMaxRetries(0)}
	if key != "" {
		options = append(options, option.WithAPIKey(key))
	}
	return sdk.NewChatCompletionService(options...), url == PublicURL // NewClient would read the environment
}

// params are the body of the call. OpenAI's newest models know max_completion_tokens alone, other servers often only the
// older max_tokens.
func params(p ports.Prompt, public bool) sdk.ChatCompletionNewParams {
	body := sdk.ChatCompletionNewParams{
		Model:         p.Model,
		StreamOptions: sdk.ChatCompletionStreamOptionsParam{IncludeUsage: sdk.Bool(true)},
	}
	if p.Pinned != nil && p.Pinned.Instruction != "" {
		body.Messages = append(body.Messages, sdk.SystemMessage(p.Pinned.Instruction))
	}
	for _, m := range p.History {
		if m.Role == domain.RoleAssistant {
			body.Messages = append(body.Messages, sdk.AssistantMessage(m.Content))
		} else {
			body.Messages = append(body.Messages, sdk.UserMessage(m.Content))
		}
	}
	body.Messages = append(body.Messages, sdk.UserMessage(p.Content))
	if p.Temperature != nil {
		body.Temperature = sdk.Float(*p.Temperature)
	}
	if p.MaxOutputTokens != nil && public {
		body.MaxCompletionTokens = sdk.Int(int64(*p.MaxOutputTokens))
	} else if p.MaxOutputTokens != nil {
		body.MaxTokens = sdk.Int(int64(*p.MaxOutputTokens))
	}
	return body
}

func finish(reason string) domain.FinishReason {
	switch reason {
	case "":
		return ""
	case "length":
		return domain.FinishLength
	case "content_filter":
		return domain.FinishFilter
	default:
		return domain.FinishStop
	}
}
