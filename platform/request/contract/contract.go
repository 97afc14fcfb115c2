// Package contract validates requests against the OpenAPI document. Parameters and bodies are checked against the same
// schemas that clients read (JSON Schema 2020-12), and every wrong field is reported at once.
package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/parley/parley/platform/request/fail"
)

// Contract is a parsed OpenAPI document that requests are validated against.
type Contract struct {
	operations map[string]*Operation
	routes     map[route]*Operation
}

// route is a method and a path in Echo's form: /v1/bots/:bot_id.
type route struct{ method, path string }

// Operation is one operation of the document.
type Operation struct {
	ID       string
	Public   bool  // no access token needed
	Optional bool  // a public call that may bring an access token: security: [{}, …] in the document
	Body     *Body // nil where there is none, and for an upload
	Upload   bool  // its body is multipart/form-data, which whoever serves the call reads and checks
	Transfer bool  // it moves a file, and may take the time for that: x-transfer in the document
	Long     bool  // its answer may take long, and breaks off when the caller's right to it ends: x-long-answer
	Limit    Limit
	// Signed says that the handler first verifies a signature over the body and then calls CheckBody: x-signed-body.
	Signed   bool
	path     []parameter
	query    []parameter
	Template string // the path, as the document has it
	// Permission is the permission that a caller needs: x-permission in the document, "none" for calls about the caller
	// itself.
	Permission string
	// Deleted says that the call is also allowed for deleted workspaces: x-deleted-workspace.
	Deleted bool
	// WithoutWorkspace says that the call is also allowed for users who are in no workspace: x-without-workspace.
	WithoutWorkspace bool
	// Fresh says that users who have a second factor must have authenticated with it in the last minutes:
	// x-fresh-authentication.
	Fresh bool
	// KeyHeader says that the token may be in the header Api-Key: the security scheme apiKey in the document.
	KeyHeader bool
	// IdempotencyKey says that the call takes the header Idempotency-Key.
	IdempotencyKey bool
	fingerprint    []string // headers that belong to the fingerprint: x-fingerprint
}

// FingerprintOf returns those headers of a request that distinguish it from others beside its path and body; nil where
// it has none.
func (o *Operation) FingerprintOf(h http.Header) (all []byte) {
	for _, name := range o.fingerprint {
		for _, value := range h.Values(name) {
			all = fmt.Appendf(all, "\n%s: %q", name, value)
		}
	}
	return all
}

// Each returns every operation, by method and path: "GET /v1/bots".
func (c *Contract) Each() map[string]*Operation { return c.operations }

// Limit is the rate limit that applies to a call: x-rate-limit in the document.
type Limit string

// The rate limits. The empty Limit is the general one.
const (
	AuthLimit    Limit = "auth"    // for calls that try passwords
	SessionLimit Limit = "session" // for public calls that bring a session or a signature of their own and limit by it
	NoLimit      Limit = "none"
)

// Body is the JSON body of a call.
type Body struct {
	Required bool
	schema   *jsonschema.Schema
}

type parameter struct {
	name    string
	integer bool
	boolean bool

	required bool // of a query; one of a path is always there
	schema   *jsonschema.Schema
	passed   *atomic.Pointer[int64] // an integer that the schema has let through, most likely the next too: it reckons in fractions
}

// Format is the check for a `format` of the document that JSON Schema does not define, or defines differently.
type Format struct {
	Name  string
	Check func(value string) error
}

// document is the part of OpenAPI 3.1 that is read here.
type document struct {
	Security []map[string][]string
	Paths    map[string]map[string]json.RawMessage
}

type operationObject struct {
	OperationID string
	RateLimit   Limit  `json:"x-rate-limit"`
	Transfer    bool   `json:"x-transfer"`
	Long        bool   `json:"x-long-answer"`
	Permission  string `json:"x-permission"`
	Deleted     bool   `json:"x-deleted-workspace"`
	Signed      bool   `json:"x-signed-body"`
	Alone       bool   `json:"x-without-workspace"`
	Fresh       bool   `json:"x-fresh-authentication"`
	Security    *[]map[string][]string
	Parameters  []parameterObject
	RequestBody *struct {
		Required bool
		Content  map[string]json.RawMessage
	}
}

type parameterObject struct {
	Ref    string `json:"$ref"`
	Name   string
	In     string
	Schema struct{ Type any }

	Fingerprint bool `json:"x-fingerprint"`

	Required bool
}

// Load parses a document in JSON.
func Load(doc []byte, formats ...Format) (*Contract, error) {
	var d document
	if err := json.Unmarshal(doc, &d); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	l, err := newLoader(doc, formats)
	if err != nil {
		return nil, err
	}
	c := &Contract{operations: map[string]*Operation{}, routes: map[route]*Operation{}}
	for path, item := range d.Paths {
		for method, raw := range item {
			if method == "parameters" {
				continue
			}
			op, err := l.operation(path, method, item["parameters"], raw, len(d.Security) > 0)
			if err != nil {
				return nil, fmt.Errorf("read %s %s of the OpenAPI document: %w", method, path, err)
			}
			method = strings.ToUpper(method)
			c.operations[method+" "+path] = op
			c.routes[route{method, strings.NewReplacer("{", ":", "}", "").Replace(path)}] = op
		}
	}
	return c, nil
}

// Find returns the operation for a method and a route in the form of Echo (/v1/bots/:bot_id); nil if the document has
// none.
func (c *Contract) Find(method, path string) *Operation { return c.routes[route{method, path}] }

// Parameters checks the path and query parameters of a request.
func (o *Operation) Parameters(path func(name string) string, query url.Values) []fail.Field {
	var wrong []fail.Field
	for _, p := range o.path {
		wrong = append(wrong, p.check(path(p.name))...)
	}
	for _, p := range o.query {
		switch values := query[p.name]; len(values) {
		case 0:
			if p.required {
				wrong = append(wrong, fail.Field{Field: p.name, Code: "REQUIRED", Message: "is required"})
			}
		case 1:
			wrong = append(wrong, p.check(values[0])...)
		default:
			wrong = append(wrong, fail.Field{Field: p.name, Code: "REPEATED", Message: "must be given once"})
		}
	}
	return wrong
}

func (p parameter) check(text string) []fail.Field {
	// Postgres takes neither for text. A cursor never gets there: its list knows its own, and has a code for all others.
	if p.name != "cursor" && (!utf8.ValidString(text) || strings.ContainsRune(text, 0)) {
		return []fail.Field{{Field: p.name, Code: "INVALID_FORMAT", Message: "must be UTF-8 without the character U+0000"}}
	}
	var value any = text
	if p.integer {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return []fail.Field{{Field: p.name, Code: "WRONG_TYPE", Message: "must be a whole number"}}
		}
		if passed := p.passed.Load(); passed != nil && *passed == n {
			return nil
		}
		value = n
	}
	if p.boolean {
		if text != "true" && text != "false" {
			return []fail.Field{{Field: p.name, Code: "WRONG_TYPE", Message: "must be true or false"}}
		}
		value = text == "true"
	}
	wrong := wrongFields(p.name, p.schema.Validate(value))
	if n, ok := value.(int64); ok && len(wrong) == 0 {
		p.passed.Store(&n)
	}
	return wrong
}

// CheckBody parses a JSON body and validates it against its schema. The error is BAD_REQUEST or VALIDATION_ERROR, with
// every wrong field. Numbers of a signed body may be as long as a double needs, because the body is stored as it was
// sent.
func (o *Operation) CheckBody(body []byte) error {
	refuse := isLong
	if o.Signed {
		refuse = isHuge
	}
	value, err := parse(body, refuse)
	if value == nil {
		return err
	}
	fields := append(fail.WrongFields(err), o.Body.Check(value)...)
	slices.SortStableFunc(fields, func(a, b fail.Field) int { return strings.Compare(a.Field, b.Field) })
	return fail.Fields(fields...)
}

// Check validates a parsed body against its schema.
func (b *Body) Check(value any) []fail.Field { return wrongFields("", b.schema.Validate(value)) }

type loader struct {
	compiler *jsonschema.Compiler
	schemas  map[string]parameterObject // components.parameters by reference
}

const documentURL = "https://parley.invalid/openapi.json"

func newLoader(doc []byte, formats []Format) (*loader, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	for _, f := range formats {
		c.RegisterFormat(&jsonschema.Format{Name: f.Name, Validate: func(v any) error {
			if s, ok := v.(string); ok {
				return f.Check(s)
			}
			return nil
		}})
	}
	if err := c.AddResource(documentURL, value); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	var parts struct {
		Components struct{ Parameters map[string]parameterObject }
	}
	if err := json.Unmarshal(doc, &parts); err != nil {
		return nil, fmt.Errorf("read the parameters of the OpenAPI document: %w", err)
	}
	l := &loader{compiler: c, schemas: map[string]parameterObject{}}
	for name, p := range parts.Components.Parameters {
		l.schemas["#/components/parameters/"+name] = p
	}
	return l, nil
}

func (l *loader) operation(path, method string, shared, raw json.RawMessage, secured bool) (*Operation, error) {
	var o operationObject
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	public := o.Security != nil && (len(*o.Security) == 0 || slices.ContainsFunc(*o.Security, func(s map[string][]string) bool { return len(s) == 0 }))
	op := &Operation{
		ID: o.OperationID, Template: path, Limit: o.RateLimit, Transfer: o.Transfer, Long: o.Long, Public: !secured || public, Optional: public && len(*o.Security) > 0,
		KeyHeader:  o.Security != nil && slices.ContainsFunc(*o.Security, func(s map[string][]string) bool { return s["apiKey"] != nil }),
		Permission: o.Permission, Deleted: o.Deleted, Signed: o.Signed, WithoutWorkspace: o.Alone, Fresh: o.Fresh,
	}
	at := "#/paths/" + pointer(path)
	if err := l.parameters(op, o.Parameters, at+"/"+method+"/parameters/"); err != nil {
		return nil, err
	}
	if shared != nil {
		var list []parameterObject
		if err := json.Unmarshal(shared, &list); err != nil {
			return nil, err
		}
		if err := l.parameters(op, list, at+"/parameters/"); err != nil {
			return nil, err
		}
	}
	if o.RequestBody == nil || method == strings.ToLower(http.MethodGet) {
		return op, nil
	}
	if _, op.Upload = o.RequestBody.Content["multipart/form-data"]; op.Upload {
		return op, nil
	}
	schema, err := l.compiler.Compile(documentURL + at + "/" + method + "/requestBody/content/application~1json/schema")
	if err != nil {
		return nil, err
	}
	op.Body = &Body{Required: o.RequestBody.Required, schema: schema}
	return op, nil
}

func (l *loader) parameters(op *Operation, list []parameterObject, at string) error {
	for i, p := range list {
		where := at + strconv.Itoa(i)
		if p.Ref != "" {
			where, p = p.Ref, l.schemas[p.Ref]
		}
		if p.In == "header" { // read by the gateway, which has codes of its own for them
			op.header(p)
			continue
		}
		schema, err := l.compiler.Compile(documentURL + where + "/schema")
		if err != nil {
			return err
		}
		param := parameter{name: p.Name, integer: p.Schema.Type == "integer", boolean: p.Schema.Type == "boolean", required: p.Required, schema: schema, passed: &atomic.Pointer[int64]{}}
		if p.In == "path" {
			op.path = append(op.path, param)
		} else {
			op.query = append(op.query, param)
		}
	}
	return nil
}

// header notes what the gateway does with a header.
func (o *Operation) header(p parameterObject) {
	if p.Name == "Idempotency-Key" {
		o.IdempotencyKey = true
	}
	if p.Fingerprint {
		o.fingerprint = append(o.fingerprint, p.Name)
	}
}

// pointer escapes a name for a JSON pointer in a URL fragment (RFC 6901).
func pointer(name string) string {
	return url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
}
