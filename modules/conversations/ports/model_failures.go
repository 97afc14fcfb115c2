package ports

import (
	"errors"
	"fmt"

	"github.com/parley/parley/platform/request/fail"
)

// Permanent failures of a model: the same call would fail again. Nothing retries them, they open no circuit breaker,
// and callers receive 422. Details have provider and model, and where the provider sent them, status, provider_code and
// provider_message.
var (
	ErrModelCredentials = fail.New(fail.Invalid, "MODEL_CREDENTIALS",
		"the provider refuses the key that the model is asked with: PUT /v1/model-keys/{provider} with one that works, or ask the operator where the workspace has none of its own")
	ErrModelUnknown = fail.New(fail.Invalid, "MODEL_NOT_FOUND",
		"the provider has no such model, or not for this key: "+nameAnother)
	ErrModelQuota = fail.New(fail.Invalid, "MODEL_QUOTA",
		"the account at the provider has no credit left: top it up there, or PUT /v1/model-keys/{provider} with the key of another account")
	ErrModelRejected = fail.New(fail.Invalid, "MODEL_REJECTED",
		"the provider refuses the call as it is: details say why; change the settings of the bot (settings.model, temperature, max_output_tokens) or the message")
	ErrContentFiltered = fail.New(fail.Invalid, "CONTENT_FILTERED",
		"the provider's content filter refuses to answer this: change the message or the bot's instruction, or set settings.model to another model")
	ErrContextTooLong = fail.New(fail.Invalid, "CONTEXT_TOO_LONG",
		"the message does not fit into the model's window beside the instruction: shorten them, lower settings.max_output_tokens or settings.history_limit, or set settings.model to a model with a larger window")
	ErrEmptyAnswer = fail.New(fail.Invalid, "EMPTY_ANSWER",
		"the model ended without any text, as it does when it spends all its tokens on reasoning: raise settings.max_output_tokens of the bot, or set settings.model to another model")
	// ErrToolCall is the failure of a model that calls tools in a way that is not served. Its message says which.
	ErrToolCall = fail.New(fail.Invalid, "MODEL_REJECTED", "the model calls tools in a way that is not served: "+ChangeToolCall)
	// ErrToolCallCut is the failure of a model whose call of a tool was cut off by the limit of its answer.
	ErrToolCallCut = fail.New(fail.Invalid, "MODEL_REJECTED",
		"the model's call of a tool was cut off by the limit of its answer: raise settings.max_output_tokens of the bot").With("reason", "TOOL_CALL_CUT")
	// ErrToolsUnsupported is the failure of a model that cannot call tools, or whose server does not let it.
	ErrToolsUnsupported = fail.New(fail.Invalid, "MODEL_REJECTED",
		"the model, or its server, cannot call tools: set settings.model of the bot to a model that can, or remove settings.tools").With("reason", "TOOLS_UNSUPPORTED")
	// ErrImagesUnsupported is the failure of a model that takes no images, or whose server does not let it.
	ErrImagesUnsupported = fail.New(fail.Invalid, "MODEL_REJECTED",
		"the model, or its server, takes no images: send the message without the images in attachments, or set settings.model of the bot to a model that does").
		With("reason", "IMAGES_UNSUPPORTED")
	// ErrAttachmentUnreadable is the failure of a turn with a file that cannot be read. The model was not called.
	ErrAttachmentUnreadable = fail.New(fail.Invalid, "ATTACHMENT_UNREADABLE", "an attached file cannot be read: send the message again without it")
	// ErrModelNotConfigured is the failure of a model that was not called: its name has no provider, or there is no key
	// for the provider.
	ErrModelNotConfigured = fail.New(fail.Invalid, "MODEL_NOT_FOUND",
		"no provider that is configured here serves the bot's model: "+nameAnother+", or PUT /v1/model-keys/{provider}").
		With("reason", "MODEL_NOT_CONFIGURED")
)

const nameAnother = "set settings.model of the bot, or the default of PUT /v1/model-settings, to one of GET /v1/models"

// ChangeToolCall is the remedy for ErrToolCall.
const ChangeToolCall = "change the instruction of the bot or the descriptions of its tools, or set settings.model to another model"

const maxModelName = 200 // characters of a model's name in a message

// NameModel returns an error whose message names the model, if the error says that there is no such model; it returns
// any other error unchanged. The name is provider/name, or the text in the settings.
func NameModel(e *fail.Error, model string) *fail.Error {
	if name := []rune(model); len(name) > maxModelName {
		model = string(name[:maxModelName]) + "…"
	}
	var message string
	switch {
	case errors.Is(e, ErrModelUnknown):
		message = fmt.Sprintf("the provider has no model %s, or not for this key: %s", model, nameAnother)
	case errors.Is(e, ErrModelNotConfigured):
		message = fmt.Sprintf("no provider that is configured here serves the model %s: %s, or PUT /v1/model-keys/{provider}", model, nameAnother)
	default:
		return e
	}
	named := e.Because(e.Unwrap())
	named.Message = message
	return named
}

// HintDetail is in the details of a failure where the server has nothing at the requested path, because its address is
// wrong.
const HintDetail = "hint"

// PermanentModelFailure reports whether the same call to the same model would fail again.
func PermanentModelFailure(err error) bool {
	for _, permanent := range []error{
		ErrModelCredentials, ErrModelUnknown, ErrModelQuota, ErrModelRejected, ErrContentFiltered, ErrContextTooLong, ErrEmptyAnswer,
		ErrModelNotAllowed, ErrModelNotConfigured, ErrToolCall, ErrToolCallCut, ErrToolsUnsupported, ErrToolLoop, ErrOutputInvalid, ErrImagesUnsupported,
		ErrAttachmentUnreadable, fail.ErrEmailNotVerified,
	} {
		if errors.Is(err, permanent) {
			return true
		}
	}
	return false
}
