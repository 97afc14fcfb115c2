package tooltarget

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/platform/work/webhook"
)

// Lost returns the outcome of a call without a whole answer.
func Lost(v domain.ToolVersion, begun bool, status int, err error) domain.ToolOutcome {
	why := webhook.Why(err).Error()
	if errors.Is(err, context.Canceled) {
		why = "the call was ended"
	}
	if !begun {
		return Failed(v, "it was not called: "+why)
	}
	if status != 0 {
		why = "its answer broke off"
	}
	text, truncated := Cut(fmt.Sprintf("It is unknown whether the call of the tool %s has had its effect: it was sent, and %s.", v.Name, why), v.Definition.MaxOutputBytes)
	return domain.ToolOutcome{Status: domain.ToolUnknown, Text: text, Truncated: truncated, HTTPStatus: status}
}

// Failed returns the outcome of a call that has failed.
func Failed(v domain.ToolVersion, why string) domain.ToolOutcome {
	text, truncated := Cut(fmt.Sprintf("The tool %s has failed: %s.", v.Name, why), v.Definition.MaxOutputBytes)
	return domain.ToolOutcome{Status: domain.ToolFailed, Text: text, Truncated: truncated}
}

// Clean returns a text as valid UTF-8 without U+0000, which cannot be stored.
func Clean(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// Cut returns the beginning of a text of at most limit bytes, and whether that is less than all of it.
func Cut(text string, limit int) (short string, truncated bool) {
	if len(text) <= limit {
		return text, false
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit], true
}
