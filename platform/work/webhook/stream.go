package webhook

import (
	"io"
	"net/http"
)

const (
	maxStream  = 256 << 20 // bytes of an answer that comes piece by piece: a long reasoning has tens of them for each byte of text
	maxRefusal = 64 << 10  // bytes of one that is no 2xx
)

// NewStreamClient is NewClient for servers that tenants choose and that stream their response, as models do: it waits
// for the response header until the context of the call ends.
func NewStreamClient(targets Targets) *http.Client {
	return streaming(targets, func(*http.Transport) {})
}

// NewTrustedStreamClient is NewStreamClient for servers that the operator chooses: any address and a proxy are allowed.
func NewTrustedStreamClient() *http.Client {
	return streaming(AnyTargets, func(t *http.Transport) { t.Proxy = http.ProxyFromEnvironment })
}

func streaming(targets Targets, tune func(*http.Transport)) *http.Client {
	return &http.Client{CheckRedirect: stay, Transport: bounded{targets.tuned(nil, func(t *http.Transport) {
		t.ResponseHeaderTimeout = 0
		t.MaxIdleConnsPerHost = t.MaxIdleConns
		tune(t)
	})}}
}

// bounded ends responses that are too long, as if the connection had been lost.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return answer, err
	}
	limit := int64(maxStream)
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		limit = maxRefusal
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(answer.Body, limit), answer.Body}
	return answer, nil
}
