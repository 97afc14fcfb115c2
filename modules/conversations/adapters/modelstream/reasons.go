package modelstream

import (
	"strings"

	"github.com/parley/parley/modules/conversations/domain"
)

// ending is the meaning of the reason with which an answer ends.
type ending int

const (
	untold  ending = iota // no reason was sent
	whole                 // the model has finished its answer
	cut                   // the answer was cut off, mostly by a limit of length
	blocked               // the provider has filtered the answer
	failed                // the server gave up: the same call may succeed when it is repeated
)

// endingOf sorts the reasons that servers give, in any case. They are OpenAI's, Anthropic's, and those of TGI (eos_token,
// stop_sequence), Together (eos), Cohere (complete), Mistral (model_length, error), vLLM and SGLang (abort, error,
// repetition), DeepSeek (insufficient_system_resource), Zhipu (sensitive, network_error), OpenRouter (error) and Gemini
// (max_tokens, safety and what is like it).
//
// A reason that is not known is taken for a cut: it may be one, and an answer that is not whole must not be stored as if
// it were. The text is kept, so that a server with a word of its own for a natural end still works.
func endingOf(reason string) ending {
	switch strings.ToLower(reason) {
	case "", "null": // some servers write null as a text
		return untold
	case "stop", "end_turn", "stop_sequence", "eos", "eos_token", "complete", "tool_calls", "tool_use", "function_call":
		return whole
	case "content_filter", "content_filtered", "refusal", "safety", "recitation", "blocklist", "prohibited_content", "spii",
		"sensitive", "guardrail_intervened", "moderation":
		return blocked
	case "error", "abort", "aborted", "cancelled", "canceled", "timeout", "insufficient_system_resource", "network_error",
		"overloaded", "server_error":
		return failed
	case "length", "max_tokens", "model_length", "model_context_window_exceeded", "pause_turn", "repetition":
		return cut
	default:
		return cut
	}
}

// finishReason returns the reason as it is stored.
func (e ending) finishReason() domain.FinishReason {
	switch e {
	case whole:
		return domain.FinishStop
	case cut:
		return domain.FinishLength
	case blocked:
		return domain.FinishFilter
	case untold, failed:
	}
	return ""
}
