package modelstream

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
)

// unsupported matches messages that say that a parameter is not supported, by the server or by the model.
var unsupported = regexp.MustCompile(`(?i)unsupported|deprecated|n[o']t support|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed`)

// UnsupportedParameter returns a function that reports whether a refusal, an HTTP 400 or 422, says of a parameter that the
// server does not support it; nil: the answer is not such a refusal. The body can be read again afterwards.
func UnsupportedParameter(refusal *http.Response) (names func(parameter string) bool) {
	if refusal == nil || refusal.StatusCode != http.StatusBadRequest && refusal.StatusCode != http.StatusUnprocessableEntity {
		return nil
	}
	said, err := io.ReadAll(refusal.Body)
	refusal.Body = io.NopCloser(bytes.NewReader(said))
	if err != nil || !unsupported.Match(said) {
		return nil
	}
	return func(parameter string) bool { return bytes.Contains(said, []byte(parameter)) }
}
