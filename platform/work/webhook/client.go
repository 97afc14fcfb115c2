package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	dialTimeout   = 5 * time.Second
	headerTimeout = 15 * time.Second
	maxHeader     = 64 << 10 // bytes of an answer's header
	keptResponse  = 1 << 10  // bytes of an answer's body
	drained       = 64 << 10 // bytes of it that are read so that the connection can be used again
	maxRetryAfter = 24 * time.Hour
)

// NewClient returns an HTTP client for URLs that tenants choose. It checks each address when it connects, after the
// name has been resolved, so that no name and no redirect leads to an address that is no allowed target. It follows no
// redirects, ignores proxy settings, and bounds the time and size of a response.
func NewClient(targets Targets) *http.Client { return newClient(targets, nil) }

func newClient(targets Targets, resolver *net.Resolver) *http.Client {
	return &http.Client{CheckRedirect: stay, Transport: targets.tuned(resolver, func(*http.Transport) {})}
}

// stay follows no redirect.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func newTransport(dial dialer) *http.Transport {
	return &http.Transport{
		Proxy:                  nil, // it would connect in our stead, unguarded
		DialContext:            dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    dialTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        30 * time.Second,
		ForceAttemptHTTP2:      true,
	}
}

// Result is the result of one attempt.
type Result struct {
	Status     int // 0: there was no answer
	Latency    time.Duration
	Response   string        // the first KiB of the answer's body
	RetryAfter time.Duration // for how long the target does not want to be asked; 0: it did not say
}

// Deliver sends a signed message. Whatever is not 2xx is an error, whose text the tenant is shown: it says nothing of
// what is where in our network.
func Deliver(ctx context.Context, client *http.Client, url string, signed http.Header, body []byte) (Result, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return Result{}, errors.New("the URL cannot be called")
	}
	request.Header = signed.Clone()
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "parley-webhooks/1")
	start := time.Now()
	answer, err := client.Do(request)
	if err != nil {
		return Result{Latency: time.Since(start)}, Why(err)
	}
	defer answer.Body.Close()
	head, err := io.ReadAll(io.LimitReader(answer.Body, keptResponse))
	if err == nil {
		_, err = io.CopyN(io.Discard, answer.Body, drained)
	}
	result := Result{
		Status: answer.StatusCode, Latency: time.Since(start), Response: readable(head), RetryAfter: RetryAfter(answer, start),
	}
	if result.Status >= 200 && result.Status < 300 {
		return result, nil // also where the body broke off: the target has taken it
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return result, fmt.Errorf("it answered %d, and then broke off", result.Status)
	}
	return result, fmt.Errorf("it answered %d", result.Status)
}

// Why returns in a few words why there was no response. It reveals nothing about the internal network.
func Why(err error) error {
	var network net.Error
	var resolve *net.DNSError
	switch {
	case errors.Is(err, errNotPublic):
		return errNotPublic
	case errors.Is(err, errNotLoopback):
		return errNotLoopback
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &resolve):
		return errors.New("the host's name cannot be resolved")
	case errors.As(err, &network) && network.Timeout():
		return errors.New("it did not answer in time")
	case strings.Contains(err.Error(), "tls:") || strings.Contains(err.Error(), "x509:"):
		return errors.New("no secure connection: is its certificate valid?")
	default:
		return errors.New("it cannot be reached")
	}
}

// code matches an error code.
var code = regexp.MustCompile(`^[a-z0-9_.-]{1,64}$`)

// Code returns the error code of a server if text is a code, else "". Other texts may contain parts of a key or of the
// request.
func Code(text string) string {
	if !code.MatchString(text) {
		return ""
	}
	return text
}

// readable converts the bytes of a response to text that can be stored and shown.
func readable(raw []byte) string {
	return strings.ReplaceAll(strings.ToValidUTF8(string(raw), "\uFFFD"), "\x00", "\uFFFD")
}

// statusOverloaded is the status that Anthropic sends where other servers send 503.
const statusOverloaded = 529

// RetryAfter returns the delay that a response asks for in its headers; 0 if there is none. Retry-After contains
// seconds (with a fraction from some servers) or a date (RFC 9110, 10.2.3). retry-after-ms, from Azure and OpenAI, is
// more exact.
func RetryAfter(answer *http.Response, now time.Time) time.Duration {
	switch answer.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, statusOverloaded:
	default:
		return 0
	}
	if wait, ok := parseWait(answer.Header.Get("Retry-After-Ms"), time.Millisecond); ok {
		return wait
	}
	text := answer.Header.Get("Retry-After")
	if wait, ok := parseWait(text, time.Second); ok {
		return wait
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

// parseWait reads a number of units, which may have a fraction.
func parseWait(text string, unit time.Duration) (wait time.Duration, ok bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || math.IsNaN(n) || n < 0 {
		return 0, false
	}
	if n > float64(maxRetryAfter/unit) {
		return maxRetryAfter, true
	}
	return time.Duration(n * float64(unit)), true
}
