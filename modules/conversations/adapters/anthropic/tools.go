package anthropic

import (
	"encoding/base64"
	"encoding/json"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/packages/param"

	"github.com/parley/parley/modules/conversations/adapters/modelprompt"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// messageOf returns a message of the prompt as the API has it. First are blocks that go before its text.
func messageOf(m modelprompt.Message, first []sdk.ContentBlockParamUnion) sdk.MessageParam {
	blocks := first
	for _, r := range m.Results {
		blocks = append(blocks, sdk.NewToolResultBlock(r.CallID, r.Text, r.Failed))
	}
	for _, image := range m.Images {
		blocks = append(blocks, sdk.NewImageBlockBase64(image.MediaType, base64.StdEncoding.EncodeToString(image.Data)))
	}
	if m.Text != "" {
		blocks = append(blocks, sdk.NewTextBlock(m.Text))
	}
	for _, c := range m.Calls {
		blocks = append(blocks, sdk.NewToolUseBlock(c.ID, c.Arguments, c.Name))
	}
	if m.Role == domain.RoleAssistant {
		return sdk.NewAssistantMessage(blocks...)
	}
	return sdk.NewUserMessage(blocks...)
}

// tool is a tool as the API has it. The library's own type reads the schema into a map, which changes numbers and the order.
type tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	InputSchema json.RawMessage `json:"input_schema"`
}

// offer adds the tools of the prompt to the body. Where it has none but messages have calls, their tools are sent, and cannot be
// called: the provider refuses calls of tools that the body does not have.
func offer(body *sdk.MessageNewParams, p ports.Prompt, messages []modelprompt.Message) {
	tools, choice := modelprompt.Tools(p), modelprompt.Choice(p)
	if len(tools) == 0 {
		tools, choice = modelprompt.CalledTools(messages), domain.ToolsNone
	}
	if len(tools) == 0 {
		return
	}
	for _, t := range tools {
		body.Tools = append(body.Tools, param.Override[sdk.ToolUnionParam](tool{t.Name, t.Description, t.Schema}))
	}
	switch choice {
	case domain.ToolsAuto:
	case domain.ToolsRequired:
		body.ToolChoice.OfAny = &sdk.ToolChoiceAnyParam{}
	case domain.ToolsNone:
		body.ToolChoice.OfNone = &sdk.ToolChoiceNoneParam{}
	default:
		body.ToolChoice = sdk.ToolChoiceParamOfTool(string(choice))
	}
}
