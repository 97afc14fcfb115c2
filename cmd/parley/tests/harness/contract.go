package harness

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert" //nolint:depguard // calls that run beside the test's goroutine
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/api"
)

// BodyCall is a call that takes a body, with one that is right.
type BodyCall struct {
	Name, Method, Path string
	Body               map[string]any
}

// BodyCalls are all of them, on a bot and a thread that exist.
func (c *Caller) BodyCalls(t *testing.T) []BodyCall {
	t.Helper()
	bot := c.Post(t, "/v1/bots", map[string]any{"name": "Support"}).Text("id")
	thread := c.Post(t, "/v1/conversations/threads", map[string]any{}).Text("id") // whose model no call here changes
	message := c.Post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "hello"}).Text("assistant_message.id")
	return []BodyCall{
		{"register", http.MethodPost, "/v1/auth/register", map[string]any{"email": "u" + uuid.NewString() + "@example.com", "password": Password, "workspace_name": "Acme"}},
		{"login", http.MethodPost, "/v1/auth/login", map[string]any{"email": c.Email, "password": Password}},
		{"refresh", http.MethodPost, "/v1/auth/refresh", map[string]any{"refresh_token": c.Refresh}},
		{"logout", http.MethodPost, "/v1/auth/logout", map[string]any{}},
		{"create bot", http.MethodPost, "/v1/bots", map[string]any{"name": "Support"}},
		{"update instruction", http.MethodPut, "/v1/bots/" + bot + "/instruction", map[string]any{"instruction": "Be kind."}},
		{"create thread", http.MethodPost, "/v1/conversations/threads", map[string]any{"bot_id": bot}},
		{"change bot", http.MethodPatch, "/v1/bots/" + bot, map[string]any{"name": "Support"}},
		{"roll back", http.MethodPost, "/v1/bots/" + bot + "/rollback", map[string]any{"version": 1}},
		{"publish", http.MethodPost, "/v1/bots/" + bot + "/publish", map[string]any{"version": 1}},
		{"change thread", http.MethodPatch, "/v1/conversations/threads/" + thread, map[string]any{"title": "Order"}},
		{"rate message", http.MethodPut, "/v1/conversations/messages/" + message + "/feedback", map[string]any{"rating": "good"}},
		{"take turn", http.MethodPost, "/v1/conversations/threads/" + thread + "/turn", map[string]any{"content": "hello"}},
		{"put model settings", http.MethodPut, "/v1/model-settings", map[string]any{"default_model": "echo"}},
		{"put model key", http.MethodPut, "/v1/model-keys/openai", map[string]any{"api_key": "sk-12345678"}},
		{"put embedding key", http.MethodPut, "/v1/model-keys/embedding", map[string]any{"api_key": "sk-12345678", "model": "m"}},
		{"retry dead letters", http.MethodPost, "/v1/dead-letters/retry", map[string]any{"kind": "note"}},
	}
}

// Fields gives the names of the wrong fields of an answer, each once: a field may be wrong in two ways.
func Fields(a Answer) (names []string) {
	list, _ := a.At("details.errors").([]any)
	for _, v := range list {
		names = append(names, v.(map[string]any)["field"].(string))
	}
	return slices.Compact(names)
}

func RequireWrong(t *testing.T, a Answer, names ...string) {
	t.Helper()
	RequireCode(t, a, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	require.Equal(t, names, Fields(a), a)
}

// RequireNameTaken requires the error of a tool whose name is taken, which names it and the field that has asked for it.
func RequireNameTaken(t *testing.T, a Answer, name, field string) {
	t.Helper()
	RequireCode(t, a, http.StatusConflict, "TOOL_NAME_TAKEN")
	require.Contains(t, a.Text("message"), name)
	require.Equal(t, name, a.At("details.name"), a)
	require.Equal(t, []string{field}, Fields(a), a)
}

// Lists gives the path of every list, with enough in each for a second page.
func (c *Caller) Lists(t *testing.T) map[string]string {
	t.Helper()
	bot := c.Post(t, "/v1/bots", map[string]any{"name": "a"}).Text("id")
	c.Post(t, "/v1/bots", map[string]any{"name": "b"})
	c.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "x"})
	thread := c.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot}).Text("id")
	c.Post(t, "/v1/conversations/threads", map[string]any{})
	c.Post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "x"})
	c.Upload(t, "a.txt", "x")
	c.Upload(t, "b.txt", "x")
	return map[string]string{
		"files": "/v1/files",
		"bots":  "/v1/bots", "versions": "/v1/bots/" + bot + "/versions",
		"threads": "/v1/conversations/threads", "messages": "/v1/conversations/threads/" + thread + "/messages",
	}
}

// RawAnswer is the answer to bytes that Go's client would not send.
type RawAnswer struct {
	Status int
	Header http.Header
	Body   string
}

func RawCall(t *testing.T, p *Program, request string) RawAnswer {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.URL, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, request)
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return RawAnswer{res.StatusCode, res.Header, string(body)}
}

// The suite's HTTP client holds every request and answer to api/openapi.yaml, with another library than the one that
// the server checks requests with. An answer may have nothing that the document does not name.

type apiContract struct {
	router   routers.Router
	older    *openapi3.T     // the same document, by which calls are checked whose schemas say nothing that OpenAPI 3.0 does not know
	newer    map[string]bool // ids of the operations whose schemas do
	errors   *openapi3.Schema
	openAI   *openapi3.Schema              // errors in OpenAI's form
	webhooks map[string]*openapi3.PathItem // to subscribers, by type
	events   *openapi3.Schema              // of streams
}

var LoadedContract = sync.OnceValue(func() apiContract {
	doc, err := openapi3.NewLoader().LoadFromData(api.YAML)
	if err != nil {
		panic(err)
	}
	// The tests of platform/request/docs check the examples.
	if err := doc.Validate(openapi3.NewLoader().Context, openapi3.DisableExamplesValidation()); err != nil {
		panic(err)
	}
	doc.Servers = nil             // any host
	failures := map[string]bool{} // the forms of an error, each a part of it
	for _, failure := range doc.Components.Schemas["Error"].Value.OneOf {
		failures[strings.TrimPrefix(failure.Ref, "#/components/schemas/")] = true
	}
	for name, schema := range doc.Components.Schemas {
		if failures[name] {
			schema = schema.Value.Properties["details"]
		}
		closeObjects(schema)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		panic(err)
	}
	older := *doc
	older.OpenAPI = "3.0.3"
	return apiContract{router: router, older: &older, newer: newerOperations(doc), errors: doc.Components.Schemas["Error"].Value, openAI: doc.Components.Schemas["OpenAIError"].Value, webhooks: doc.Webhooks, events: doc.Components.Schemas["TurnEvent"].Value}
})

// closeObjects makes what the document does not name a fault, in objects that it describes.
func closeObjects(ref *openapi3.SchemaRef) {
	if ref == nil || ref.Value == nil {
		return
	}
	s := ref.Value
	if len(s.Properties) > 0 && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil && s.Type.Includes("object") {
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
	if !assert.Contains(t, c.webhooks, kind, "the document has no webhook for this event") {
		return
	}
	var value any
	assert.NoError(t, json.Unmarshal(body, &value))
	schema := c.webhooks[kind].Post.RequestBody.Value.Content["application/json"].Schema.Value
	assert.NoError(t, schema.VisitJSON(value, openapi3.EnableFormatValidation()), string(body))
}

type ContractTransport struct {
	T        *testing.T
	Contract apiContract
	Secrets  *Secrets // what passes by and must not be logged; nil: nobody looks
}

func (c ContractTransport) RoundTrip(req *http.Request) (*http.Response, error) {
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
	c.Check(req, sent, res, got)
	c.Secrets.Hear(req.Header.Get("Authorization"), sent)
	if strings.HasPrefix(req.URL.Path, "/v1/") { // the document shows tokens of its own
		c.Secrets.hearAnswer(got)
	}
	return res, nil
}

func (c ContractTransport) Check(req *http.Request, sent []byte, res *http.Response, got []byte) {
	where := req.Method + " " + req.URL.Path
	assert.Regexp(c.T, `^[A-Za-z0-9._-]{1,128}$`, res.Header.Get("X-Trace-Id"), where)
	again := req.Clone(req.Context())
	again.URL.Path = strings.TrimSuffix(req.URL.Path, "/")
	again.Body = io.NopCloser(bytes.NewReader(sent))
	route, params, err := c.Contract.router.FindRoute(again)
	if err != nil { // a path or method that the document does not have: an error, or a page
		if res.StatusCode >= http.StatusBadRequest && req.Method != http.MethodHead {
			c.checkError(where, got)
		}
		return
	}
	route = c.Contract.cheapest(route)
	in := &openapi3filter.RequestValidationInput{
		Request: again, PathParams: params, Route: route,
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true, MultiError: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
		},
	}
	if res.StatusCode < http.StatusMultipleChoices {
		assert.NoError(c.T, openapi3filter.ValidateRequest(req.Context(), in), "the request %s was taken but breaks the document: %s", where, sent)
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: res.StatusCode, Header: res.Header, Options: in.Options,
	}
	out.SetBodyBytes(got)
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		out.Options.ExcludeResponseBody = true // each of its events is held to the document, by who reads them
	}
	assert.NoError(c.T, openapi3filter.ValidateResponse(req.Context(), out), "the answer %d of %s breaks the document: %s", res.StatusCode, where, got)
	if route.Operation.Security == nil && res.StatusCode < http.StatusBadRequest {
		if alone, _ := route.Operation.Extensions["x-without-workspace"].(bool); !alone {
			assert.NotEmpty(c.T, res.Header.Get("X-Workspace-Id"), where)
		}
		assert.NotEmpty(c.T, res.Header.Get("X-User-Id"), where)
	}
}

func (c ContractTransport) checkError(where string, got []byte) {
	var value any
	schema := c.Contract.errors
	if strings.Contains(where, " /openai/v1/") {
		schema = c.Contract.openAI
	}
	if assert.NoError(c.T, json.Unmarshal(got, &value), where) {
		assert.NoError(c.T, schema.VisitJSON(value, openapi3.EnableJSONSchema2020()), "%s: %s", where, got)
	}
}

func Names(items []map[string]any) (out []string) {
	for _, item := range items {
		out = append(out, item["name"].(string))
	}
	return out
}

// Count gives the one number of a query, asked as superuser.
func Count(t *testing.T, conn *pgx.Conn, sql string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, conn.QueryRow(t.Context(), sql, args...).Scan(&n), sql)
	return n
}

// AtOnce makes the same call n times at the same moment.
func AtOnce(n int, call func() Answer) []Answer {
	answers, gate := make([]Answer, n), make(chan struct{})
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			<-gate
			answers[i] = call()
		})
	}
	close(gate)
	wg.Wait()
	return answers
}

// RequireNowhere looks for texts in every row of every table, as superuser.
func RequireNowhere(t *testing.T, conn *pgx.Conn, texts ...string) {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Greater(t, len(tables), 10)
	for _, table := range tables {
		for _, text := range texts {
			n := Count(t, conn, `SELECT count(*) FROM `+table+` r WHERE position($1 IN r::text) > 0 OR position(encode(convert_to($1, 'UTF8'), 'hex') IN r::text) > 0`, text)
			require.Zero(t, n, "%.12s… is in %s", text, table)
		}
	}
}

// HeadOnly sends the head of a call that has a body and waits for the answer to it: the status line.
func (p *Program) HeadOnly(t *testing.T, path string, headers ...Header) string {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.URL, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	var head strings.Builder
	fmt.Fprintf(&head, "POST %s HTTP/1.1\r\nHost: parley\r\nContent-Type: application/json\r\nContent-Length: 50000\r\n", path)
	for _, h := range headers {
		head.WriteString(h.Name + ": " + h.Value + "\r\n")
	}
	_, err = conn.Write([]byte(head.String() + "\r\n"))
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(line)
}
