package telemetry

import (
	"fmt"
	"regexp"
	"strings"
)

// Scrubber removes from texts what may not leave: secrets, addresses of people, credentials in URLs. It is safe for
// concurrent use. The nil Scrubber removes everything.
type Scrubber struct {
	pattern *regexp.Regexp
	hide    func(text string) string
}

// everywhere are the formats of what no package of ours makes: e-mail addresses, what stands between a URL's // and its @,
// and whatever is called a password, secret, token or key, or follows the scheme of an Authorization header.
func everywhere() []string {
	return []string{
		`[\w.+-]+@[\w-]+(\.[\w-]+)+`,
		`//[^/@\s]+@`,
		`(?i:\b(bearer|basic)\s+[\w.~+/=-]{8,})`,
		`(?i:(password|secret|token|api[_-]?key)["']?\s*[=:]\s*["']?[^\s"',;&}]+)`,
	}
}

// NewScrubber returns a Scrubber for regular expressions, each of which matches one kind of secret. The packages that
// create secrets export these formats. hide removes secrets that are known by their value, such as those of the
// configuration.
func NewScrubber(hide func(text string) string, formats ...string) (*Scrubber, error) {
	pattern, err := regexp.Compile(strings.Join(append(formats, everywhere()...), "|"))
	if err != nil {
		return nil, fmt.Errorf("formats of secrets: %w", err)
	}
	return &Scrubber{pattern, hide}, nil
}

// Scrub returns the text with [removed] in place of each secret.
func (s *Scrubber) Scrub(text string) string {
	if s == nil {
		return "[removed]"
	}
	return s.pattern.ReplaceAllString(s.hide(text), "[removed]")
}
