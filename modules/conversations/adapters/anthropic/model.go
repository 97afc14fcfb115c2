// Package anthropic asks models by Anthropic's Messages. It asks once: what is repeated, and for how long, is for whoever
// guards it.
package anthropic

import (
	"context"
	"net/http"
	"strings"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/webhook"
)

// PublicURL is where Anthropic itself is.
const PublicURL = "https://api.anthropic.com"

const (
	longestAnswer = 1 << 20 // bytes of text; beyond them the answer ends
	usualAnswer   = 4096    // tokens: this provider wants a bound, also where the bot has none
	hottest       = 1       // of its temperatures
)

// Model implements ports.Model.
type Model struct {
	Key, URL string       // the operator's; no URL: PublicURL
	Client   *http.Client // for the operator's server
	Guarded  *http.Client // for servers that workspaces name
}

// Name implements ports.Model.
func (Model) Name() (provider, model string) { return domain.Anthropic, "" }

// Reply implements ports.Model.
func (m Model) Reply(ctx context.Context, p ports.Prompt, say func(text string)) (domain.Reply, error) {
	service := m.service(p.Access)
	ctx, sent := webhook.TraceSent(ctx)
	stream := service.NewStreaming(ctx, params(p))
	defer func() { _ = stream.Close() }() // what was read counts
	begun := stream.Err() == nil          // the head of the answer is there
	var text strings.Builder
	reply, whole := domain.Reply{}, false
	for !whole && stream.Next() {
		event := stream.Current()
		switch event.Type {
		case "message_start":
			u := event.Message.Usage
			count(&reply, u.InputTokens, u.CacheReadInputTokens, u.CacheCreationInputTokens, u.OutputTokens)
		case "content_block_delta":
			if piece := event.Delta.Text; piece != "" {
				text.WriteString(piece)
				say(piece)
			}
		case "message_delta":
			reply.FinishReason = finish(event.Delta.StopReason)
			if u := event.Usage; u.InputTokens > 0 {
				count(&reply, u.InputTokens, u.CacheReadInputTokens, u.CacheCreationInputTokens, u.OutputTokens)
			} else {
				reply.OutputTokens = new(int(u.OutputTokens))
			}
		case "message_stop":
			whole = true
		}
		if text.Len() > longestAnswer {
			reply.FinishReason, whole = domain.FinishLength, true
		}
	}
	reply.Begun = begun || ctx.Err() != nil && sent() // a server that is cut off may have been at work
	if err := stream.Err(); err != nil {
		return reply, failure(ctx, err, begun)
	}
	if !whole {
		return reply, errBrokeOff
	}
	reply.Content = text.String()
	return reply, nil
}

// service is made for each call, as the key may be another; the client is what keeps connections.
func (m Model) service(own *ports.Access) sdk.MessageService {
	key, url, client := m.Key, m.URL, m.Client
	if own != nil {
		key, url, client = own.Key, own.BaseURL, m.Guarded
	}
	if url == "" {
		url = PublicURL
	}
	return sdk.NewMessageService( // NewClient would read the environment
		option.WithBaseURL(url), option.WithHTTPClient(client), option.WithMaxRetries(0), option.WithAPIKey(key))
}

// params are the body of the call.
func params(p ports.Prompt) sdk.MessageNewParams {
	body := sdk.MessageNewParams{Model: p.Model, MaxTokens: usualAnswer}
	if p.Pinned != nil && p.Pinned.Instruction != "" {
		body.System = []sdk.TextBlockParam{{Text: p.Pinned.Instruction}}
	}
	for _, m := range p.History {
		if m.Role == domain.RoleAssistant {
			body.Messages = append(body.Messages, sdk.NewAssistantMessage(sdk.NewTextBlock(m.Content)))
		} else {
			body.Messages = append(body.Messages, sdk.NewUserMessage(sdk.NewTextBlock(m.Content)))
		}
	}
	body.Messages = append(body.Messages, sdk.NewUserMessage(sdk.NewTextBlock(p.Content)))
	if p.Temperature != nil {
		body.Temperature = sdk.Float(min(*p.Temperature, hottest))
	}
	if p.MaxOutputTokens != nil {
		body.MaxTokens = int64(*p.MaxOutputTokens)
	}
	return body
}

// count takes the usage: what the cache held and took is told beside the rest of the input.
func count(r *domain.Reply, input, cacheRead, cacheMade, output int64) {
	r.InputTokens, r.CachedTokens, r.OutputTokens = new(int(input+cacheRead+cacheMade)), new(int(cacheRead)), new(int(output))
}

func finish(reason sdk.StopReason) domain.FinishReason {
	switch reason {
	case "":
		return ""
	case sdk.StopReasonMaxTokens, sdk.StopReasonModelContextWindowExceeded:
		return domain.FinishLength
	case sdk.StopReasonRefusal:
		return domain.FinishFilter
	default:
		return domain.FinishStop
	}
}
