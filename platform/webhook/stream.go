package webhook

import (
	"io"
	"net/http"
)

const (
	longestStream  = 256 << 20 // bytes of an answer that comes piece by piece: a long reasoning has tens of them for each byte of text
	longestRefused = 64 << 10  // bytes of one that is no 2xx
)

// NewStreamClient is NewClient for servers that tenants choose and that stream their response, as models do: it waits
// for the response header until the context of the call ends.
func NewStreamClient(allowPrivate bool) *http.Client { return streaming(newTransport(allowPrivate)) }

// NewTrustedStreamClient is NewStreamClient for servers that the operator chooses: any address and a proxy are allowed.
func NewTrustedStreamClient() *http.Client {
	t := newTransport(true)
	t.Proxy = http.ProxyFromEnvironment
	return streaming(t)
}

func streaming(t *http.Transport) *http.Client {
	t.ResponseHeaderTimeout = 0
	t.MaxIdleConnsPerHost = t.MaxIdleConns
	return &http.Client{CheckRedirect: stay, Transport: bounded{t}}
}

// bounded ends responses that are too long, as if the connection had been lost.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return answer, err
	}
	most := int64(longestStream)
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		most = longestRefused
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(answer.Body, most), answer.Body}
	return answer, nil
}
