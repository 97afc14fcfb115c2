package openai

import (
	"encoding/base64"
	"encoding/json"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/param"

	"github.com/parley/parley/modules/conversations/adapters/modelprompt"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// messagesOf returns a message of the prompt as the API has it: one with results becomes a message for each of them.
func messagesOf(m modelprompt.Message) (messages []sdk.ChatCompletionMessageParamUnion) {
	switch {
	case len(m.Results) > 0:
		for _, r := range m.Results {
			messages = append(messages, sdk.ToolMessage(r.Text, r.CallID))
		}
		return messages
	case m.Role != domain.RoleAssistant && len(m.Images) > 0:
		return append(messages, sdk.UserMessage(partsOf(m)))
	case m.Role != domain.RoleAssistant:
		return append(messages, sdk.UserMessage(m.Text))
	case len(m.Calls) == 0:
		return append(messages, sdk.AssistantMessage(m.Text))
	}
	calling := sdk.ChatCompletionAssistantMessageParam{}
	calling.Content.OfString = param.Null[string]() // some servers require the field, and some refuse an empty text
	if m.Text != "" {
		calling.Content.OfString = sdk.String(m.Text)
	}
	for _, c := range m.Calls {
		calling.ToolCalls = append(calling.ToolCalls, sdk.ChatCompletionMessageToolCallUnionParam{OfFunction: &sdk.ChatCompletionMessageFunctionToolCallParam{
			ID: c.ID, Function: sdk.ChatCompletionMessageFunctionToolCallFunctionParam{Name: c.Name, Arguments: string(c.Arguments)},
		}})
	}
	return append(messages, sdk.ChatCompletionMessageParamUnion{OfAssistant: &calling})
}

// partsOf returns a message with its images before its text.
func partsOf(m modelprompt.Message) []sdk.ChatCompletionContentPartUnionParam {
	parts := make([]sdk.ChatCompletionContentPartUnionParam, 0, len(m.Images)+1)
	for _, image := range m.Images {
		url := "data:" + image.MediaType + ";base64," + base64.StdEncoding.EncodeToString(image.Data)
		parts = append(parts, sdk.ImageContentPart(sdk.ChatCompletionContentPartImageImageURLParam{URL: url}))
	}
	return append(parts, sdk.TextContentPart(m.Text))
}

// function is a tool as the API has it. The library's own type reads the schema into a map, which changes numbers and the order.
type function struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters"`
}

// offer adds the tools of the prompt to the body. A choice that is the default is not sent, as some servers have none.
func offer(body *sdk.ChatCompletionNewParams, p ports.Prompt) {
	if len(p.Tools) == 0 {
		return
	}
	for _, t := range modelprompt.Tools(p) {
		body.Tools = append(body.Tools, param.Override[sdk.ChatCompletionToolUnionParam](struct {
			Type     string   `json:"type"`
			Function function `json:"function"`
		}{"function", function{t.Name, t.Description, t.Schema}}))
	}
	switch choice := modelprompt.Choice(p); choice {
	case domain.ToolsAuto:
	case domain.ToolsRequired, domain.ToolsNone:
		body.ToolChoice.OfAuto = sdk.String(string(choice))
	default:
		body.ToolChoice.OfFunctionToolChoice = &sdk.ChatCompletionNamedToolChoiceParam{
			Function: sdk.ChatCompletionNamedToolChoiceFunctionParam{Name: string(choice)},
		}
	}
}
