package modelapi

import (
	"net/http"
	"regexp"
)

// Meaning is what an error response means for the same call, if it is made again.
type Meaning int

// The meanings. All but Temporary are permanent: the same call fails again.
const (
	Temporary    Meaning = iota
	Credentials          // the server refuses the key
	Quota                // the account has no credit left
	UnknownModel         // the server has no such model, or not for this key
	TooLong              // the input does not fit into the model's window, or the call has too many inputs
	Filtered             // the content is refused
	Rejected             // anything else about the call
)

// Meaning returns the meaning of an error with this status. Status 0 is that of an error within an answer, which has no
// status.
func (w ServerError) Meaning(status int) Meaning {
	switch {
	case status == http.StatusTooManyRequests:
		return w.meaningOfTooMany()
	case status >= 500 && w.isTooLongByCode():
		return TooLong // llama.cpp has sent it as 500
	case status != 0 && isTemporary(status):
		return Temporary
	case status == http.StatusUnauthorized:
		if w.isQuota() {
			return Quota
		}
		return Credentials
	case status == http.StatusPaymentRequired:
		return Quota
	}
	switch {
	case w.isFiltered():
		return Filtered
	case w.isTooLong():
		return TooLong
	case w.isQuota():
		return Quota
	case w.isUnknownModel():
		return UnknownModel
	case w.isRegion():
		return Rejected
	case w.isCredentials():
		return Credentials
	}
	switch status {
	case 0:
		return Temporary
	case http.StatusForbidden:
		return Credentials
	case http.StatusNotFound, http.StatusGone:
		return UnknownModel
	case http.StatusRequestEntityTooLarge:
		return TooLong
	default:
		return Rejected
	}
}

// meaningOfTooMany is Meaning for 429. Providers also send 429 where the account has no credit left, or where a single
// request has more tokens than are allowed in a minute. Gemini uses for its limits per minute the message that OpenAI
// uses for the account: "You exceeded your current quota, please check your plan and billing details".
func (w ServerError) meaningOfTooMany() Meaning {
	switch {
	case w.has("insufficient_quota", "billing_*", "exceeded_current_quota_error", "insufficient_balance", "insufficient_credits"), w.says(noCredit()...):
		return Quota
	case w.says("request too large for"):
		return TooLong
	default:
		return Temporary
	}
}

func (w ServerError) isFiltered() bool {
	return w.has("content_filter", "content_policy_violation", "responsibleaipolicyviolation", "data_inspection_failed", "datainspectionfailed",
		"invalid_prompt", "moderation_blocked", "prohibited_content") ||
		w.says("content management policy", "content filter", "content policy", "content_policy", "flagged", "content exists risk", "safety system",
			"usage policy", "usage policies", "considered high risk", "inappropriate content", "prohibited content")
}

func (w ServerError) isTooLongByCode() bool {
	return w.has("context_length_exceeded", "string_above_max_length", "array_above_max_length", "exceed_context_size_error", "request_too_large",
		"context_window_exceeded", "model_context_window_exceeded", "contextwindowexceedederror", "tokens_limit_reached")
}

func (w ServerError) isTooLong() bool {
	return w.isTooLongByCode() ||
		w.says("maximum context length", "context length", "context window", "context size", "context limit", "prompt is too long", "prompt too long",
			"input is too long", "too many tokens", "maximum prompt length", "input token count", "reduce the length of the messages",
			"too large for model", "number of input tokens", "`inputs` tokens", "model token limit", "input length should be", "token limit exceeded",
			"request too large for", "exceed the configured limit", "prompt token count", "max_tokens must be at least 1, got -")
}

// noCredit returns phrases of providers whose account has no credit.
func noCredit() []string {
	return []string{
		"credit balance is too low", "insufficient balance", "insufficient credit", "insufficient fund", "requires more credits",
		"more credits are required", "used all available credits", "out of credits", "have any credits", "purchase more credits", "spending limit",
		"reached your specified api usage limits", "key limit exceeded", "payment required",
	}
}

func (w ServerError) isQuota() bool {
	return w.has("insufficient_quota", "billing_*", "insufficient_balance", "insufficient_credits", "payment_required", "arrearage",
		"exceeded_current_quota_error", "credit_limit_exceeded") ||
		w.says(noCredit()...) || w.says("billing details", "account is in good standing", "credit limit")
}

// aboutModel matches messages that say that there is no such model.
var aboutModel = regexp.MustCompile(`(?i)\bmodel\b.{0,200}\b(does not exist|doesn't exist|not exist|not found|is not available|not supported for generatecontent|been decommissioned|been deprecated|been retired)`)

func (w ServerError) isUnknownModel() bool {
	return w.has("model_not_found", "deploymentnotfound", "modelnotfound", "model_not_available", "unknown_model", "invalid_model", "model_decommissioned",
		"model_deprecated", "dedicated_endpoint_not_running", "notfounderror") ||
		w.says("invalid model", "is not a valid model", "unable to access model", "unable to access non-serverless model", "have access to model",
			"have access to the model", "no endpoints found", "failed to get model", "unknown model", "no such model", "deployment for this resource does not exist") ||
		aboutModel.MatchString(w.message)
}

func (w ServerError) isRegion() bool {
	return w.has("unsupported_country_region_territory", "request_forbidden") ||
		w.says("country, region, or territory not supported", "not supported in your country", "user location is not supported")
}

func (w ServerError) isCredentials() bool {
	return w.has("invalid_api_key", "authentication_error", "invalidapikey", "api_key_invalid", "unauthenticated") ||
		w.says("api key not valid", "invalid api key", "incorrect api key", "api key expired", "no api key", "missing api key", "provide an api key",
			"invalid authentication")
}

// IsWrongAddress reports whether the error comes from a server that has nothing at the path, and not from a provider
// that has looked for the model.
func (w ServerError) IsWrongAddress(status int) bool {
	switch {
	case status >= 300 && status < 400, status == http.StatusMethodNotAllowed:
		return true
	case status == http.StatusNotFound:
		return !w.isUnknownModel() && !w.says("model")
	default:
		return false
	}
}

// isTemporary reports whether a status says that the same call may succeed later.
func isTemporary(status int) bool {
	switch status {
	case 0, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	default:
		return status >= 500
	}
}
