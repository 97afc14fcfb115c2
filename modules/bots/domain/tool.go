package domain

import (
	"bytes"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// ToolKind is how a tool is called.
type ToolKind string

// The kinds.
const (
	HTTPTool   ToolKind = "http"
	MCPTool    ToolKind = "mcp"    // of an MCP server, whose definition of it is pinned
	ClientTool ToolKind = "client" // whoever reads the turn answers it
)

// Effect is what calls of a tool do outside.
type Effect string

// The effects.
const (
	Reads  Effect = "read" // calls may be repeated
	Writes Effect = "write"
)

// Limits of the definition of a tool.
const (
	maxToolDescription = 4000     // characters
	maxToolSchema      = 32 << 10 // bytes of JSON without spaces
	minToolTimeout     = 100 * time.Millisecond
	maxToolTimeout     = time.Minute
	maxToolOutput      = 1 << 20
	maxRemoteName      = 200 // bytes

	defaultToolTimeout = 10 * time.Second
	defaultToolOutput  = 64 << 10
	defaultToolMethod  = "POST"
)

// ToolDefinition is the part of a tool that has versions.
type ToolDefinition struct {
	Description       string
	Schema            json.RawMessage // of the arguments: a JSON Schema
	Effect            Effect
	Timeout           time.Duration
	MaxOutputBytes    int
	URL               string   // of the kind http, with {name} in its path for arguments, or of the MCP server; empty for others
	Method            string   // of the kind http
	IdempotencyHeader string   // empty: the target knows none
	RemoteName        string   // on the MCP server; empty for other kinds, as the next one
	DefinitionHash    string   // of the definition that the server must have (RemoteHash)
	Redact            []string // properties whose values are left out of results
}

// Tool is a tool with its newest definition. A tool of a list has no schema.
type Tool struct {
	ID             uuid.UUID
	WorkspaceID    uuid.UUID
	Kind           ToolKind
	Name           string // it never changes
	CurrentVersion int
	Definition     ToolDefinition
	Credentials    *SetCredentials // nil: none, or it is a tool of a list
	Review         *ToolReview     // nil: none; of a tool of a list it has a status alone
	CreatedBy      uuid.UUID
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// ToolVersion is the definition of a tool at one time. It never changes.
type ToolVersion struct {
	ToolID     uuid.UUID
	Number     int
	Kind       ToolKind
	Name       string
	Definition ToolDefinition
	// Credentials are those that the tool has now, where the version was read to be called; nil: none.
	Credentials *SetCredentials
	Note        string
	CreatedBy   uuid.UUID
	CreatedAt   time.Time
}

// ToolChanges are fields of a definition. A nil field stays as it is, or has its default in a new tool.
type ToolChanges struct {
	Description       *string
	Schema            json.RawMessage
	Effect            *Effect
	TimeoutMS         *int
	MaxOutputBytes    *int
	URL               *string
	Method            *string
	IdempotencyHeader *string
	RemoteName        *string
	DefinitionHash    *string
	Redact            *[]string
}

// IsEmpty reports whether nothing is to be changed.
func (c ToolChanges) IsEmpty() bool {
	return c.Description == nil && c.Schema == nil && c.Effect == nil && c.TimeoutMS == nil && c.MaxOutputBytes == nil && c.URL == nil && c.Method == nil &&
		c.IdempotencyHeader == nil && c.RemoteName == nil && c.DefinitionHash == nil && c.Redact == nil
}

// NewTool returns a tool in version 1, or a *RuleError. What only other packages can check, the caller checks: the schema and where the
// URL leads.
func NewTool(workspace uuid.UUID, kind ToolKind, name string, c ToolChanges, e Edition) (Tool, ToolVersion, error) {
	if !regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$`).MatchString(name) {
		return Tool{}, ToolVersion{}, &RuleError{Field: "name", Rule: "must be a letter or underscore, then up to 63 letters, digits, underscores and dashes"}
	}
	if slices.Contains([]string{"auto", "required", "none"}, name) {
		return Tool{}, ToolVersion{}, &RuleError{Field: "name", Rule: "must not be auto, required or none, which settings.tool_choice gives a meaning"}
	}
	if kind != HTTPTool && kind != MCPTool && kind != ClientTool {
		return Tool{}, ToolVersion{}, &RuleError{Field: "kind", Rule: "must be http, mcp or client"}
	}
	t := Tool{
		ID: uuid.Must(uuid.NewV7()), WorkspaceID: workspace, Kind: kind, Name: name, CreatedBy: e.By, CreatedAt: e.At,
		Definition: ToolDefinition{Timeout: defaultToolTimeout, MaxOutputBytes: defaultToolOutput},
	}
	if kind == HTTPTool {
		t.Definition.Method = defaultToolMethod
	}
	v, err := t.Rewrite(c, e)
	return t, v, err
}

// Rewrite makes a changed definition the next version of the tool. The error is a *RuleError; the tool is unchanged then.
func (t *Tool) Rewrite(c ToolChanges, e Edition) (ToolVersion, error) {
	if utf8.RuneCountInString(e.Note) > maxNote {
		return ToolVersion{}, &RuleError{Field: "note", Rule: "must have at most 500 characters"}
	}
	d := t.Definition
	set(&d.Description, c.Description)
	set(&d.Effect, c.Effect)
	set(&d.MaxOutputBytes, c.MaxOutputBytes)
	set(&d.URL, c.URL)
	set(&d.Method, c.Method)
	set(&d.IdempotencyHeader, c.IdempotencyHeader)
	set(&d.Redact, c.Redact)
	set(&d.RemoteName, c.RemoteName)
	set(&d.DefinitionHash, c.DefinitionHash)
	if c.TimeoutMS != nil {
		d.Timeout = time.Duration(*c.TimeoutMS) * time.Millisecond
	}
	if c.Schema != nil {
		var compact bytes.Buffer
		if json.Compact(&compact, c.Schema) != nil || compact.Len() > maxToolSchema {
			return ToolVersion{}, &RuleError{Field: "schema", Rule: "must have at most 32768 bytes of JSON without spaces"}
		}
		d.Schema = compact.Bytes()
	}
	if err := d.check(t.Kind); err != nil {
		return ToolVersion{}, err
	}
	t.CurrentVersion, t.Definition, t.UpdatedAt = t.CurrentVersion+1, d, e.At
	return ToolVersion{
		ToolID: t.ID, Number: t.CurrentVersion, Kind: t.Kind, Name: t.Name, Definition: d, Note: e.Note, CreatedBy: e.By, CreatedAt: e.At,
	}, nil
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

func (d ToolDefinition) check(kind ToolKind) error {
	switch n := utf8.RuneCountInString(d.Description); {
	case n < 1 || n > maxToolDescription || !isVisible(d.Description):
		return &RuleError{Field: "description", Rule: "must have 1 to 4000 characters and not be blank"}
	case d.Schema == nil:
		return &RuleError{Field: "schema", Rule: "is required", Code: "REQUIRED"}
	case d.Effect != Reads && d.Effect != Writes:
		return &RuleError{Field: "effect", Rule: "must be read or write"}
	case d.Timeout < minToolTimeout || d.Timeout > maxToolTimeout:
		return &RuleError{Field: "timeout_ms", Rule: "must be 100 to 60000"}
	case d.MaxOutputBytes < 1 || d.MaxOutputBytes > maxToolOutput:
		return &RuleError{Field: "max_output_bytes", Rule: "must be 1 to 1048576"}
	case len(d.Redact) > maxRedacted || slices.ContainsFunc(d.Redact, func(name string) bool { return name == "" || utf8.RuneCountInString(name) > maxRedactedName }):
		return &RuleError{Field: "redact", Rule: "must be at most 20 names of 1 to 100 characters"}
	}
	if kind == HTTPTool {
		return d.checkHTTP()
	}
	return d.checkNotHTTP(kind)
}

func (d ToolDefinition) checkNotHTTP(kind ToolKind) error {
	switch {
	case d.Method != "":
		return &RuleError{Field: "method", Rule: "is only for the kind http"}
	case d.IdempotencyHeader != "":
		return &RuleError{Field: "idempotency_header", Rule: "is only for the kind http"}
	case kind == ClientTool && d.URL != "":
		return &RuleError{Field: "url", Rule: "is only for the kinds http and mcp"}
	case kind == MCPTool && d.URL == "":
		return &RuleError{Field: "url", Rule: "is required for the kind mcp", Code: "REQUIRED"}
	case kind == MCPTool && (d.RemoteName == "" || len(d.RemoteName) > maxRemoteName):
		return &RuleError{Field: "remote_name", Rule: "must have 1 to 200 bytes"}
	}
	return nil
}

func (d ToolDefinition) checkHTTP() error {
	switch {
	case d.URL == "":
		return &RuleError{Field: "url", Rule: "is required for the kind http", Code: "REQUIRED"}
	case !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, d.Method):
		return &RuleError{Field: "method", Rule: "must be GET, POST, PUT, PATCH or DELETE"}
	case d.Method == "GET" && d.Effect != Reads: //nolint:usestdlibvars // net/http is not for domains; it sends a GET again where a connection was lost
		return &RuleError{Field: "method", Rule: "must not be GET for the effect write"}
	case d.IdempotencyHeader != "" && !isOwnHeader(d.IdempotencyHeader):
		return &RuleError{Field: "idempotency_header", Rule: "must be the name of a header of up to 64 letters, digits and dashes that is not one of HTTP itself"}
	}
	u, err := url.Parse(d.URL)
	if err != nil {
		return &RuleError{Field: "url", Rule: "must be a URL"}
	}
	if strings.ContainsAny(u.Scheme+u.Host+u.RawQuery, "{}") {
		return &RuleError{Field: "url", Rule: "may have {name} only in its path"}
	}
	var schema struct {
		Required []string `json:"required"`
	}
	_ = json.Unmarshal(d.Schema, &schema) // where it is none, it is refused as a schema
	for _, name := range Placeholders(u.EscapedPath()) {
		if !slices.Contains(schema.Required, name) {
			return &RuleError{Field: "url", Rule: "has {" + name + "}, which must be a required property of the schema"}
		}
	}
	if strings.ContainsAny(placeholder.ReplaceAllString(u.Path, ""), "{}") {
		return &RuleError{Field: "url", Rule: "must have names of arguments in {}: letters, digits, underscores and dashes"}
	}
	return nil
}

// placeholder matches the place of an argument in a path.
var placeholder = regexp.MustCompile(`\{([A-Za-z0-9_-]{1,64})\}`)

// Placeholders returns the names of the arguments that a path has places for. The path may be escaped.
func Placeholders(path string) (names []string) {
	path = strings.NewReplacer("%7B", "{", "%7D", "}", "%7b", "{", "%7d", "}").Replace(path)
	for _, found := range placeholder.FindAllStringSubmatch(path, -1) {
		names = append(names, found[1])
	}
	return names
}

// isOwnHeader reports whether a text is the name of a header that neither HTTP nor the call itself gives a meaning.
func isOwnHeader(name string) bool {
	reserved := []string{
		"accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "cookie", "expect", "host", "keep-alive", "proxy-authorization",
		"te", "trailer", "transfer-encoding", "upgrade", "user-agent",
	}
	return regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`).MatchString(name) && !slices.Contains(reserved, strings.ToLower(name))
}
