package fail

import "strings"

// ForEndUser returns an error as end users receive it: without what says how a bot is made, what it costs, and how its workspace is
// set up.
func (e *Error) ForEndUser() *Error {
	c := e.copy()
	c.Code, c.Message, c.Details = ForEndUser(e.Code, e.Message, e.Details)
	return c
}

// ForEndUser returns code, message and details of an error as end users receive them.
func ForEndUser(code, message string, details map[string]any) (string, string, map[string]any) {
	var shown map[string]any
	for _, key := range []string{"errors", "turn_id", "active_turn_id", "limit_bytes"} {
		if value, ok := details[key]; ok {
			if shown == nil {
				shown = map[string]any{}
			}
			shown[key] = value
		}
	}
	switch {
	case strings.HasPrefix(code, "MODEL_"), code == "CONTEXT_TOO_LONG", code == "EMPTY_ANSWER", code == "EMAIL_NOT_VERIFIED", code == "LIMIT_REACHED":
		return "ANSWER_FAILED", "the bot cannot answer this", shown
	case code == "CONTENT_FILTERED":
		return code, "the bot does not answer this message", shown
	case code == "DOWNSTREAM_UNAVAILABLE":
		return code, "the bot cannot answer at the moment: try again shortly", shown
	case code == "FORBIDDEN":
		return code, "this call is not for end users", nil
	}
	return code, message, shown
}
