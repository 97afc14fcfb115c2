package main

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"

	"github.com/parley/parley/.tools/clients/go/parley"
)

// openAI talks to the bot with OpenAI's own client for Go.
func (w *walker) openAI(ctx context.Context) error {
	key, err := decode[parley.NewApiKey](w.api.CreateApiKey(ctx, nil, parley.CreateApiKeyRequest{Name: "openai-go", Role: "editor"}))
	if err != nil {
		return err
	}
	client := openai.NewClient(option.WithBaseURL(w.url+"/openai/v1"), option.WithAPIKey(key.Key))
	for _, step := range []func(context.Context, openai.Client, string) error{complete, respond, respondStreamed} {
		if err := step(ctx, client, w.bot.Id.String()); err != nil {
			return err
		}
	}
	return nil
}

const question, reply = "Where is my order?", "Echo: Where is my order?"

func complete(ctx context.Context, client openai.Client, bot string) error {
	params := openai.ChatCompletionNewParams{
		Model: bot, Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage("Answer briefly."), openai.UserMessage(question)},
	}
	answer, err := client.Chat.Completions.New(ctx, params)
	if err != nil {
		return err
	}
	if err := expect(answer.Choices[0].Message.Content == reply, "chat: %s", answer.RawJSON()); err != nil {
		return err
	}
	var whole openai.ChatCompletionAccumulator
	stream := client.Chat.Completions.NewStreaming(ctx, params)
	for stream.Next() {
		whole.AddChunk(stream.Current())
	}
	if err := errors.Join(stream.Err(), stream.Close()); err != nil {
		return err
	}
	if err := expect(whole.Choices[0].Message.Content == reply && whole.Choices[0].FinishReason == "stop", "chat, streamed: %+v", whole.Choices); err != nil {
		return err
	}
	params.Model = "none"
	_, err = client.Chat.Completions.New(ctx, params)
	failure, ok := errors.AsType[*openai.Error](err)
	return expect(ok && failure.StatusCode == http.StatusNotFound && failure.Code == "model_not_found", "an unknown model: %v", err)
}

func respond(ctx context.Context, client openai.Client, bot string) error {
	params := responses.ResponseNewParams{Model: bot, Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(question)}, Store: openai.Bool(true)}
	first, err := client.Responses.New(ctx, params)
	if err != nil {
		return err
	}
	if err := expect(first.OutputText() == reply && first.Status == "completed", "response: %s", first.RawJSON()); err != nil {
		return err
	}
	read, err := client.Responses.Get(ctx, first.ID, responses.ResponseGetParams{})
	if err != nil {
		return err
	}
	params.PreviousResponseID = openai.String(first.ID)
	next, err := client.Responses.New(ctx, params)
	if err != nil {
		return err
	}
	return expect(read.OutputText() == reply && next.Conversation.ID == first.Conversation.ID, "the next response: %s", next.RawJSON())
}

func respondStreamed(ctx context.Context, client openai.Client, bot string) error {
	stream := client.Responses.NewStreaming(ctx, responses.ResponseNewParams{
		Model: bot, Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(question)},
	})
	var (
		kinds []string
		text  string
		last  responses.Response
	)
	for stream.Next() {
		event := stream.Current()
		kinds = append(kinds, event.Type)
		if event.Type == "response.output_text.delta" {
			text += event.Delta
		}
		if event.Type == "response.completed" {
			last = event.Response
		}
	}
	if err := errors.Join(stream.Err(), stream.Close()); err != nil {
		return err
	}
	want := []string{
		"response.created", "response.in_progress", "response.output_item.added", "response.content_part.added", "response.output_text.delta",
		"response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed",
	}
	return expect(text == reply && last.OutputText() == reply && slices.Equal(slices.Compact(kinds), want), "streamed: %s: %v", text, kinds)
}
