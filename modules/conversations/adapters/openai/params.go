package openai

import (
	"net/http"
	"regexp"

	sdk "github.com/openai/openai-go/v3"

	"github.com/parley/parley/modules/conversations/adapters/modelprompt"
	"github.com/parley/parley/modules/conversations/adapters/modelstream"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

var (
	// reasoningModel matches OpenAI's models that support only max_completion_tokens, also after a prefix such as
	// openai/o3. Deployments at Azure usually have the names of their models; gpt-35-turbo is not one of them.
	reasoningModel = regexp.MustCompile(`(?i)(^|/)(o[1-9]|gpt-[5-9])([.-]|$)`)
	// fixedTemperature matches those of them that refuse every temperature but their default. Later models accept it in
	// some modes.
	fixedTemperature = regexp.MustCompile(`(?i)(^|/)(o[1-9]|gpt-5)(-mini|-nano|-pro|-preview)?(-\d[\d-]*)?$`)
)

// params returns the body of the call. OpenAI's reasoning models support only max_completion_tokens, other servers
// often only the older max_tokens; adjust corrects a wrong guess.
func params(p ports.Prompt, public bool) sdk.ChatCompletionNewParams {
	body := sdk.ChatCompletionNewParams{
		Model:         p.Model,
		StreamOptions: sdk.ChatCompletionStreamOptionsParam{IncludeUsage: sdk.Bool(true)},
	}
	if instruction := p.Instruction(domain.SourceRules(p.Found.Boundary)); instruction != "" {
		body.Messages = append(body.Messages, sdk.SystemMessage(instruction))
	}
	content := p.Content
	if len(p.Found.Sources) > 0 {
		content = domain.SourceText(p.Found.Sources, p.Found.Boundary) + "\n\n" + content
	}
	messages, _ := modelprompt.Messages(p, content)
	for _, m := range messages {
		body.Messages = append(body.Messages, messagesOf(m)...)
	}
	offer(&body, p)
	if p.Temperature != nil && !fixedTemperature.MatchString(p.Model) {
		body.Temperature = sdk.Float(*p.Temperature)
	}
	if p.MaxOutputTokens != nil && (public || reasoningModel.MatchString(p.Model)) {
		body.MaxCompletionTokens = sdk.Int(int64(*p.MaxOutputTokens))
	} else if p.MaxOutputTokens != nil {
		body.MaxTokens = sdk.Int(int64(*p.MaxOutputTokens))
	}
	return body
}

// adjust changes a parameter that a server has refused as unsupported, and reports whether it has changed one. It
// renames the limit of the output, and removes the temperature and the request for usage. Adjusted are the parameters
// that were changed before; none is changed twice.
func adjust(body *sdk.ChatCompletionNewParams, refusal *http.Response, adjusted map[string]bool) bool {
	names := modelstream.UnsupportedParameter(refusal)
	if names == nil {
		return false
	}
	var none sdk.ChatCompletionNewParams
	switch {
	case body.Temperature.Valid() && names("temperature"):
		body.Temperature = none.Temperature
		adjusted["temperature"] = true
	case body.StreamOptions.IncludeUsage.Valid() && names("stream_options"):
		body.StreamOptions = none.StreamOptions
		adjusted["stream_options"] = true
	case body.MaxTokens.Valid() && names("max_tokens") && !adjusted["max_tokens"]:
		body.MaxCompletionTokens, body.MaxTokens = body.MaxTokens, none.MaxTokens
		adjusted["max_tokens"] = true
	case body.MaxCompletionTokens.Valid() && names("max_completion_tokens") && !adjusted["max_tokens"]:
		body.MaxTokens, body.MaxCompletionTokens = body.MaxCompletionTokens, none.MaxCompletionTokens
		adjusted["max_tokens"] = true
	default:
		return false
	}
	return true
}
