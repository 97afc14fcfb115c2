package app

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/assert" //nolint:depguard // the transport may run beside the test's goroutine, where require may not stop it
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/api"
)

// The suite's HTTP client holds every request and answer to api/openapi.yaml, with another library than the one that
// the server checks requests with. An answer may have nothing that the document does not name.

type apiContract struct {
	router routers.Router
	errors *openapi3.Schema
	told   map[string]*openapi3.PathItem // to subscribers, by type
	events *openapi3.Schema              // of streams
}

var loadedContract = sync.OnceValue(func() apiContract {
	doc, err := openapi3.NewLoader().LoadFromData(api.YAML)
	if err != nil {
		panic(err)
	}
	if err := doc.Validate(openapi3.NewLoader().Context); err != nil {
		panic(err)
	}
	doc.Servers = nil // any host
	for _, schema := range doc.Components.Schemas {
		closeObjects(schema)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		panic(err)
	}
	return apiContract{router: router, errors: doc.Components.Schemas["Error"].Value, told: doc.Webhooks, events: doc.Components.Schemas["TurnEvent"].Value}
})

// closeObjects makes what the document does not name a fault, in objects that it describes.
func closeObjects(ref *openapi3.SchemaRef) {
	if ref == nil || ref.Value == nil {
		return
	}
	s := ref.Value
	if len(s.Properties) > 0 && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil && s.Type.Is("object") {
		no := false
		s.AdditionalProperties.Has = &no
	}
	for _, p := range s.Properties {
		if p.Ref == "" {
			closeObjects(p)
		}
	}
	closeObjects(s.Items)
}

// checkTold holds the body of a delivery to the document.
func (c apiContract) checkTold(t *testing.T, kind string, body []byte) {
	t.Helper()
	if kind == "ping" {
		return // says nothing
	}
	if !assert.Contains(t, c.told, kind, "the document has no webhook for what was told") {
		return
	}
	var value any
	assert.NoError(t, json.Unmarshal(body, &value))
	schema := c.told[kind].Post.RequestBody.Value.Content["application/json"].Schema.Value
	assert.NoError(t, schema.VisitJSON(value, openapi3.EnableFormatValidation()), string(body))
}

type contractTransport struct {
	t        *testing.T
	contract apiContract
	said     *secrets // what passes by and must not be logged; nil: nobody looks
}

func (c contractTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	var sent []byte
	if req.Body != nil {
		var err error
		if sent, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		length := req.ContentLength
		req.Body = io.NopCloser(bytes.NewReader(sent))
		req.ContentLength = length
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(got))
	c.check(req, sent, res, got)
	c.said.hear(req.Header.Get("Authorization"), sent)
	if strings.HasPrefix(req.URL.Path, "/v1/") { // the document shows tokens of its own
		c.said.hearAnswer(got)
	}
	return res, nil
}

func (c contractTransport) check(req *http.Request, sent []byte, res *http.Response, got []byte) {
	where := req.Method + " " + req.URL.Path
	assert.Regexp(c.t, `^[A-Za-z0-9._-]{1,128}$`, res.Header.Get("X-Trace-Id"), where)
	again := req.Clone(req.Context())
	again.URL.Path = strings.TrimSuffix(req.URL.Path, "/")
	again.Body = io.NopCloser(bytes.NewReader(sent))
	route, params, err := c.contract.router.FindRoute(again)
	if err != nil { // a path or method that the document does not have: an error, or a page
		if res.StatusCode >= http.StatusBadRequest && req.Method != http.MethodHead {
			c.checkError(where, got)
		}
		return
	}
	in := &openapi3filter.RequestValidationInput{
		Request: again, PathParams: params, Route: route,
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true, MultiError: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
		},
	}
	if res.StatusCode < http.StatusMultipleChoices {
		assert.NoError(c.t, openapi3filter.ValidateRequest(req.Context(), in), "the request %s was taken but breaks the document: %s", where, sent)
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: res.StatusCode, Header: res.Header, Options: in.Options,
	}
	out.SetBodyBytes(got)
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		out.Options.ExcludeResponseBody = true // each of its events is held to the document, by who reads them
	}
	assert.NoError(c.t, openapi3filter.ValidateResponse(req.Context(), out), "the answer %d of %s breaks the document: %s", res.StatusCode, where, got)
	if route.Operation.Security == nil && res.StatusCode < http.StatusBadRequest {
		if alone, _ := route.Operation.Extensions["x-without-workspace"].(bool); !alone {
			assert.NotEmpty(c.t, res.Header.Get("X-Workspace-Id"), where)
		}
		assert.NotEmpty(c.t, res.Header.Get("X-User-Id"), where)
	}
}

func (c contractTransport) checkError(where string, got []byte) {
	var value any
	if assert.NoError(c.t, json.Unmarshal(got, &value), where) {
		assert.NoError(c.t, c.contract.errors.VisitJSON(value, openapi3.EnableJSONSchema2020()), "%s: %s", where, got)
	}
}

func TestTheSuiteWouldSeeAnAnswerThatBreaksTheDocument(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"a field that the document does not name": `{"status":"ok","more":1}`,
		"a field missing":                         `{}`,
		"a wrong value":                           `{"status":"fine"}`,
	} {
		quiet := &testing.T{}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/healthz", nil)
		require.NoError(t, err)
		res := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"X-Trace-Id": {"a"}, "Content-Type": {"application/json"}}}
		contractTransport{t: quiet, contract: loadedContract()}.check(req, nil, res, []byte(body))
		require.True(t, quiet.Failed(), name)
	}
}
