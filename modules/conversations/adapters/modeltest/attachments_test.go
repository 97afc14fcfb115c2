package modeltest_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/anthropic"
	"github.com/parley/parley/modules/conversations/adapters/echo"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
	"github.com/parley/parley/modules/conversations/adapters/openai"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/work/webhook"
)

// withImages is a prompt with an image in its message and another one in its history.
func withImages() ports.Prompt {
	p := hi
	p.Attached = []domain.Attachment{{Name: "b.png", MediaType: "image/png", Image: []byte("second")}}
	p.Images = domain.ImagesOf(p.Attached)
	p.History = []domain.Message{
		{Role: domain.RoleUser, Content: "Look", Images: []domain.Image{{MediaType: "image/webp", Data: []byte("first")}}}, {Role: domain.RoleAssistant, Content: "I see"},
	}
	return p
}

func TestOpenAIIsSentImagesAsDataURLs(t *testing.T) {
	t.Parallel()
	s := modeltest.New(t)
	_, err := openai.Model{Key: key, URL: s.URL, Client: webhook.NewStreamClient(webhook.AnyTargets)}.Reply(t.Context(), withImages(), func(string) {})
	require.NoError(t, err)
	messages, _ := s.Calls()[0].Body["messages"].([]any)
	image := func(kind, data string) any {
		return map[string]any{"type": "image_url", "image_url": map[string]any{"url": "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString([]byte(data))}}
	}
	require.Equal(t, []any{
		map[string]any{"role": "user", "content": []any{image("image/webp", "first"), map[string]any{"type": "text", "text": "Look"}}},
		map[string]any{"role": "assistant", "content": "I see"},
		map[string]any{"role": "user", "content": []any{image("image/png", "second"), map[string]any{"type": "text", "text": "Hi"}}},
	}, messages[1:])
	require.Contains(t, fmt.Sprint(messages[0]), domain.AttachmentRules(withImages().ResultBoundary()))
}

func TestAnthropicIsSentImagesAsBlocks(t *testing.T) {
	t.Parallel()
	s := modeltest.New(t)
	_, err := anthropic.Model{Key: key, URL: s.URL, Client: webhook.NewStreamClient(webhook.AnyTargets)}.Reply(t.Context(), withImages(), func(string) {})
	require.NoError(t, err)
	image := func(kind, data string) any {
		return map[string]any{"type": "image", "source": map[string]any{"type": "base64", "media_type": kind, "data": base64.StdEncoding.EncodeToString([]byte(data))}}
	}
	text := func(text string) any { return map[string]any{"type": "text", "text": text} }
	require.Equal(t, []any{
		map[string]any{"role": "user", "content": []any{image("image/webp", "first"), text("Look")}},
		map[string]any{"role": "assistant", "content": []any{text("I see")}},
		map[string]any{"role": "user", "content": []any{image("image/png", "second"), text("Hi")}},
	}, s.Calls()[0].Body["messages"])
}

func TestTheEchoModelNamesWhatItWasGiven(t *testing.T) {
	t.Parallel()
	p := hi
	p.Attached = []domain.Attachment{
		{Name: "a.txt", MediaType: "text/plain", Size: 200, Text: "One  two\nthree " + strings.Repeat("x", 100)}, {Name: "b.png", MediaType: "image/png", Size: 6, Image: []byte("second")},
	}
	reply, err := echo.Model{}.Reply(t.Context(), p, func(string) {})
	require.NoError(t, err)
	require.Equal(t, "Echo: Hi\n\nAttached: a.txt (text/plain, 200 bytes): One two three "+strings.Repeat("x", 66)+"…\n\nAttached: b.png (image/png, 6 bytes)", reply.Content)
}
