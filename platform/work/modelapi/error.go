// Package modelapi has what calls of servers of models share, whatever they are asked for: how a key is sent, what an error
// response means, and what of its message may be shown.
package modelapi

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// ServerError has the parts of a server's error response.
type ServerError struct {
	codes   []string // strings that name the error, the most specific first
	number  int      // a number in their place, which mostly is an HTTP status; 0: none
	message string
	tokens  int // of the model's context window, where it is sent beside the message; 0: it is not sent
}

// depth is how deep nested errors are searched.
const depth = 4

// ParseError reads the body of an error response. For a body that is not JSON, such as the page of a proxy, the result is
// empty.
func ParseError(body []byte) ServerError {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return ServerError{}
	}
	var w ServerError
	w.read(v, depth)
	return w
}

// read reads an error in any of the forms that servers send: {"error": {…}}, {"error": "text"}, a list of such,
// {"message": …}, {"detail": …}, and each of them within another.
func (w *ServerError) read(v any, left int) {
	if left == 0 {
		return
	}
	switch v := v.(type) {
	case []any:
		if len(v) > 0 {
			w.read(v[0], left-1)
		}
	case string:
		if w.message == "" {
			w.message = v
		}
	case map[string]any:
		if inner, ok := v["error"]; ok {
			w.read(inner, left-1)
		}
		if inner, ok := v["x_groq"].(map[string]any); ok {
			w.read(inner, left-1)
		}
		for _, name := range []string{"code", "type", "status"} {
			w.name(v[name])
		}
		if inner, ok := v["innererror"].(map[string]any); ok {
			w.name(inner["code"])
		}
		for _, name := range []string{"message", "detail", "msg"} {
			w.read(v[name], left-1)
		}
		if n, ok := v["n_ctx"].(float64); ok {
			w.tokens = int(n)
		}
	}
}

// isCode matches an error code.
var isCode = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{1,63}$`)

// name reads a code, or a list of codes.
func (w *ServerError) name(v any) {
	switch v := v.(type) {
	case float64:
		w.count(int(v))
	case string:
		if n, err := strconv.Atoi(v); err == nil {
			w.count(n)
		} else if isCode.MatchString(v) && v != "error" {
			w.codes = append(w.codes, v)
		}
	}
}

func (w *ServerError) count(n int) {
	if w.number == 0 {
		w.number = n
	}
}

// Code returns the most specific code; "" where there is none.
func (w ServerError) Code() string {
	if len(w.codes) > 0 {
		return w.codes[0]
	}
	if w.number > 0 && (w.number < 100 || w.number > 599) { // another number than an HTTP status
		return strconv.Itoa(w.number)
	}
	return ""
}

// Message returns the server's message as it was sent: it may have secrets in it. See Hidden.Clean.
func (w ServerError) Message() string { return w.message }

// Status returns the HTTP status that an error within an answer would have had; 0 where it has none.
func (w ServerError) Status() int {
	if w.number >= 400 && w.number <= 599 {
		return w.number
	}
	for _, code := range w.codes {
		switch strings.ToLower(code) {
		case "invalid_request_error", "badrequesterror", "invalid_argument":
			return 400
		case "authentication_error", "unauthenticated", "invalid_api_key":
			return 401
		case "billing_error", "payment_required":
			return 402
		case "permission_error", "permission_denied":
			return 403
		case "not_found_error", "notfounderror", "model_not_found":
			return 404
		case "request_too_large":
			return 413
		case "rate_limit_error", "rate_limit_exceeded", "insufficient_quota", "resource_exhausted":
			return 429
		case "api_error", "server_error", "internal_error", "internalservererror", "internal":
			return 500
		case "overloaded_error", "unavailable":
			return 503
		case "timeout_error":
			return 504
		}
	}
	return 0
}

// has reports whether one of the codes is one of these, whatever their case.
func (w ServerError) has(codes ...string) bool {
	for _, have := range w.codes {
		for _, want := range codes {
			if strings.EqualFold(have, want) || strings.HasSuffix(want, "*") && strings.HasPrefix(strings.ToLower(have), strings.TrimSuffix(want, "*")) {
				return true
			}
		}
	}
	return false
}

// says reports whether the message has one of these phrases, which are in lower case.
func (w ServerError) says(phrases ...string) bool {
	text := strings.ToLower(w.message)
	for _, phrase := range phrases {
		if strings.Contains(text, phrase) {
			return true
		}
	}
	return false
}

// windows match how messages name the model's maximum number of tokens.
var windows = regexp.MustCompile(`(?i)` + strings.Join([]string{
	`maximum context length (?:is|of) (\d[\d,]*)`,
	`maximum context length: (\d[\d,]*)`,
	`(\d[\d,]*) maximum context length`,
	`maximum prompt length is (\d[\d,]*)`,
	`tokens > (\d[\d,]*) maximum`,
	`exceed context limit: [^>]{0,60}> (\d[\d,]*)`,
	`maximum number of tokens allowed \((\d[\d,]*)\)`,
	`available context size \((\d[\d,]*)`,
	`context window of (\d[\d,]*)`,
	`configured limit of (\d[\d,]*)`,
	`exceeds the limit of (\d[\d,]*)`,
	`input tokens must be no more than (\d[\d,]*)`,
	`must be <= (\d[\d,]*)`,
	`model token limit: (\d[\d,]*)`,
	`input length should be \[\d+, ?(\d[\d,]*)\]`,
}, "|"))

// Limits of a plausible context window.
const (
	minWindow = 128
	maxWindow = 100_000_000
)

// Window returns the model's context window in tokens, as the error states it; 0 where it does not.
func (w ServerError) Window() int {
	n := w.tokens
	if n == 0 {
		for i, digits := range windows.FindStringSubmatch(w.message) {
			if i > 0 && digits != "" {
				n, _ = strconv.Atoi(strings.ReplaceAll(digits, ",", "")) // 0 for what is too long for an int
			}
		}
	}
	if n < minWindow || n > maxWindow {
		return 0
	}
	return n
}
