package domain

import (
	"regexp"
	"strings"
)

const (
	maxRedacted     = 20
	maxRedactedName = 100 // characters
	redacted        = `"[redacted]"`
)

// Redact returns a text with "[redacted]" in place of the values of properties with these names, in capitals or not, wherever JSON is in it. A
// text that is cut off is redacted as well.
func Redact(text string, names []string) string {
	if len(names) == 0 {
		return text
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = regexp.QuoteMeta(name)
	}
	keys := regexp.MustCompile(`(?i)"(?:` + strings.Join(quoted, "|") + `)"\s*:\s*`)
	var out strings.Builder
	for {
		at := keys.FindStringIndex(text)
		if at == nil {
			out.WriteString(text)
			return out.String()
		}
		out.WriteString(text[:at[1]])
		out.WriteString(redacted)
		text = text[at[1]+valueLength(text[at[1]:]):]
	}
}

// valueLength returns the length of the JSON value at the beginning of a text, which may be cut off.
func valueLength(text string) int {
	depth, inText := 0, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case inText && c == '\\':
			i++
		case c == '"':
			if inText = !inText; !inText && depth == 0 {
				return i + 1
			}
		case inText:
		case c == '{' || c == '[':
			depth++
		case (c == '}' || c == ']') && depth == 0, depth == 0 && strings.IndexByte(", \t\r\n", c) >= 0:
			return i
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}
