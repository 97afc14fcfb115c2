package gateway

import (
	"net/http"
	"strings"

	"github.com/parley/parley/platform/request/fail"
)

// openAIPath begins the paths of the calls in the form of OpenAI's API.
const openAIPath = "/openai/v1/"

func isOpenAI(path string) bool { return strings.HasPrefix(path, openAIPath) }

// OpenAIError is an error in the form of OpenAI's API.
type OpenAIError struct {
	Error OpenAIErrorBody `json:"error"`
}

// OpenAIErrorBody is what went wrong, in OpenAIError.
type OpenAIErrorBody struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Code    string  `json:"code"`
	Param   *string `json:"param"` // the first wrong field; nil: none
}

// openAICodes returns the codes for which OpenAI's API has names of its own. All others are written in small letters.
func openAICodes() map[string]string {
	return map[string]string{
		"UNAUTHORIZED":     "invalid_api_key",
		"LIMIT_REACHED":    "insufficient_quota",
		"CONTEXT_TOO_LONG": "context_length_exceeded",
		"VALIDATION_ERROR": "invalid_value",
		"CONTENT_FILTERED": "content_filter",
	}
}

// OpenAIErrorOf returns an error in OpenAI's form. The message of an internal error names the trace.
func OpenAIErrorOf(e *fail.Error, trace string) OpenAIError {
	body := OpenAIErrorBody{Message: e.Message, Type: openAIType(e), Code: openAICodes()[e.Code]}
	if body.Code == "" {
		body.Code = strings.ToLower(e.Code)
	}
	if wrong := fail.WrongFields(e); len(wrong) > 0 {
		body.Param = &wrong[0].Field
	}
	if e.Code == "MODEL_NOT_FOUND" && e.Kind == fail.NotFound {
		param := "model"
		body.Param = &param
	}
	if e.Kind == fail.Internal {
		body.Message += " (trace id " + trace + ")"
	}
	return OpenAIError{body}
}

// ofOperation completes an error about the operation of a call: it names the header that the operation was sent in, "" for none.
func ofOperation(o OpenAIError, e *fail.Error, header string) OpenAIError {
	switch e.Code {
	case errOperationID.Code:
		header = headerOperationID // what it holds names no operation
	case fail.ErrReused.Code, fail.ErrExpired.Code:
	default:
		return o
	}
	if header == headerIdempotencyKey {
		o.Error.Message = map[string]string{
			fail.ErrReused.Code:  "this Idempotency-Key was used for another request: make a new one for every new request",
			fail.ErrExpired.Code: "the call with this Idempotency-Key was made long ago and its answer is no longer kept: make a new key for a new request",
		}[e.Code]
	}
	if header != "" {
		o.Error.Param = &header
	}
	return o
}

func openAIType(e *fail.Error) string {
	switch {
	case e.Code == fail.ErrLimitReached.Code:
		return "insufficient_quota"
	case e.Kind == fail.Unauthenticated:
		return "authentication_error"
	case e.Kind == fail.Forbidden:
		return "permission_error"
	case e.Kind == fail.TooMany:
		return "rate_limit_error"
	case statusOf(e.Kind) >= http.StatusInternalServerError:
		return "server_error"
	}
	return "invalid_request_error"
}

// openAIStatus is the status of an error in OpenAI's form: wrong fields are 400, as clients expect it.
func openAIStatus(status int) int {
	if status == http.StatusUnprocessableEntity {
		return http.StatusBadRequest
	}
	return status
}
