package modelapi

import (
	"regexp"
	"strings"
	"unicode"
)

const (
	maxMessage = 300 // characters of a provider's message that are shown
	maxLooked  = 4 << 10
	minQuoted  = 12 // bytes of a text that a message must contain to count as repeating it
)

// private matches what may be a secret or an address: URLs, addresses of people and of hosts, keys, including keys
// whose middle is masked by stars, names of accounts, and long words with digits.
var private = regexp.MustCompile(strings.Join([]string{
	`(?i)\b[a-z][a-z0-9+.-]*://[^\s"'<>)\]]+`,
	`[\w.+-]+@[\w-]+(\.[\w-]+)+`,
	`\[?[0-9a-fA-F]{0,4}(:[0-9a-fA-F]{0,4}){3,7}\]?(:\d{2,5})?`,
	`\b\d{1,3}(\.\d{1,3}){3}(:\d{1,5})?\b`,
	`(?i)\b[a-z0-9-]+(\.[a-z0-9-]+)*\.(com|net|org|io|ai|dev|cloud|local|internal|lan|ru|cn|eu):?\d{0,5}(/\S*)?`,
	`(?i)\blocalhost(:\d+)?\b`,
	`\S*\*{3,}\S*`,
	`\b\w[\w-]*(\.{3,}|…)\w{2,}\b`,
	`(?i)\b(bearer|basic)\s+\S+`,
	`(?i)\b(sk|pk|rk|key|gsk|xai|org|proj|user|acct|acc|team|ws|req|request|aiza|ak|hf|nvapi|pplx|csk)[-_][\w-]{6,}`,
	`\bAIza[\w-]{10,}`,
	`\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b`,
	`\b[A-Za-z_]*\d[\w]*[A-Za-z]\w{15,}\b`,
	`\b[A-Za-z_]+\w*\d\w{15,}\b`,
	`\b[A-Za-z]\w{15,}\d\w*\b`,
}, "|"))

// Hidden is what must not be shown of a server's message.
type Hidden struct {
	Key   string   // of the call
	Texts []string // that were sent
	Model string   // it may be shown, even where it looks like a secret
}

// Clean returns the part of a server's message that may be shown: one line, without the key and what may be a secret
// or an address, and truncated. It returns "" for a message that repeats one of the texts.
func (h Hidden) Clean(message string) string {
	if len(message) > maxLooked {
		message = message[:maxLooked]
	}
	message = strings.Map(func(c rune) rune {
		switch {
		case c == unicode.ReplacementChar:
			return -1
		case unicode.IsSpace(c):
			return ' '
		case unicode.IsControl(c), unicode.In(c, unicode.Cf):
			return -1
		default:
			return c
		}
	}, strings.ToValidUTF8(message, ""))
	if h.repeats(message) {
		return ""
	}
	if len(h.Key) > 3 {
		message = strings.ReplaceAll(message, h.Key, "[removed]")
	}
	model := h.Model
	message = private.ReplaceAllStringFunc(message, func(found string) string {
		if model != "" && strings.Contains(model, strings.Trim(found, ".,;:")) {
			return found
		}
		return "[removed]"
	})
	message = strings.Join(strings.Fields(message), " ")
	if text := []rune(message); len(text) > maxMessage {
		message = string(text[:maxMessage-1]) + "…"
	}
	return message
}

// repeats reports whether a message contains words of the texts.
func (h Hidden) repeats(message string) bool {
	for _, text := range h.Texts {
		start := strings.Join(strings.Fields(text), " ")
		if len(start) >= minQuoted && strings.Contains(strings.Join(strings.Fields(message), " "), start[:minQuoted]) {
			return true
		}
	}
	return false
}
