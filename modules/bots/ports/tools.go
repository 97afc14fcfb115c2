package ports

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors about tools.
var (
	ErrToolNotFound        = fail.New(fail.NotFound, "TOOL_NOT_FOUND", "there is no such tool in this workspace")
	ErrToolVersionNotFound = fail.New(fail.NotFound, "NOT_FOUND", "the tool has no such version")
	ErrToolVersionConflict = fail.New(fail.Outdated, "VERSION_CONFLICT", "the tool has another version by now: read it again, then send yours for that one")
	ErrToolNameTaken       = fail.New(fail.Conflict, "TOOL_NAME_TAKEN", "the workspace has a tool of this name")
	ErrNoReview            = fail.New(fail.Conflict, "CONFLICT", "no changed definition with this hash waits: read the tool again")
	ErrToolInUse           = fail.New(fail.Conflict, "TOOL_IN_USE", "bots use this tool: details.bots names them; take it out of their settings, or delete it with force=true")
)

// ToolNameTaken returns ErrToolNameTaken that names the tool, and the field of the request that has asked for its name.
func ToolNameTaken(name, field string) error {
	message := "the workspace has a tool of the name " + name
	e := ErrToolNameTaken.With("name", name).With("errors", []fail.Field{{Field: field, Code: ErrToolNameTaken.Code, Message: message}})
	e.Message = message // With has returned a copy
	return e
}

// Tools stores the tools of the caller's workspace.
type Tools interface {
	// Create returns ErrToolNameTaken where the workspace has a tool of the name.
	Create(ctx context.Context, t domain.Tool, first domain.ToolVersion) error
	// Get returns ErrToolNotFound where there is no such tool.
	Get(ctx context.Context, id uuid.UUID) (domain.Tool, error)
	// Lock reads a tool and locks it until the transaction ends.
	Lock(ctx context.Context, id uuid.UUID) (domain.Tool, error)
	// Save stores the new version of a locked tool.
	Save(ctx context.Context, t domain.Tool, v domain.ToolVersion) error
	Delete(ctx context.Context, id uuid.UUID) error
}

// ToolReader reads tools and their versions, newest first.
type ToolReader interface {
	List(ctx context.Context, f ToolFilter, before *uuid.UUID, limit int) ([]domain.Tool, error)
	// Versions returns ErrToolNotFound where there is no such tool.
	Versions(ctx context.Context, tool uuid.UUID, after *VersionPosition, limit int) ([]domain.ToolVersion, error)
	// Pin returns the versions that refs name, in their order, by one query. What is not there is left out.
	Pin(ctx context.Context, refs []domain.ToolRef) ([]domain.ToolVersion, error)
}

// ToolFilter narrows the list of tools. A nil field does not filter.
type ToolFilter struct {
	NamePart *string              `json:"q,omitempty"` // ignoring case
	Kind     *domain.ToolKind     `json:"k,omitempty"`
	Review   *domain.ReviewStatus `json:"r,omitempty"`
}

// UsingBot is a bot that uses a tool.
type UsingBot struct {
	ID   uuid.UUID `json:"id"`
	Name string    `json:"name"`
}

// ToolUses knows which bots use which tools.
type ToolUses interface {
	// Hold returns those of the tools that are there. Nobody deletes them until the end of the transaction.
	Hold(ctx context.Context, ids []uuid.UUID) ([]domain.UsableTool, error)
	// HoldOfBot does the same with the tools that the latest and the published version of a bot name.
	HoldOfBot(ctx context.Context, bot uuid.UUID) error
	// Bots returns bots that are not archived and name a tool in their latest or published version, and how many there are.
	Bots(ctx context.Context, tool uuid.UUID, limit int) (first []UsingBot, total int64, err error)
}

// ToolSchemas knows JSON Schema.
type ToolSchemas interface {
	// Check returns a *domain.RuleError where a schema cannot be that of the arguments of a tool.
	Check(schema json.RawMessage) error
	// Validate returns what is wrong with arguments, for a model; "" for nothing.
	Validate(schema, arguments json.RawMessage) (problem string, err error)
}

// ToolCredentials stores the credentials of tools, encrypted.
type ToolCredentials interface {
	Put(ctx context.Context, tool uuid.UUID, set domain.SetCredentials, secrets domain.Credentials, by uuid.UUID) error
	Delete(ctx context.Context, tool uuid.UUID) error
	// Open decrypts credentials of a tool.
	Open(ctx context.Context, tool uuid.UUID, sealed []byte) (domain.Credentials, error)
}

// ToolCall is a call of a tool.
type ToolCall struct {
	Version     domain.ToolVersion
	Credentials *domain.Credentials // nil: none
	Operation   uuid.UUID           // the id that a target acts on once
	Arguments   json.RawMessage     // they fit the schema; nil: none
}

// ToolCaller calls tools of one kind.
type ToolCaller interface {
	// Call calls a tool once. The error is not about the target.
	Call(ctx context.Context, call ToolCall) (domain.ToolOutcome, error)
}

// ToolDocuments reads documents that describe an API.
type ToolDocuments interface {
	// Read returns the operations of an OpenAPI document. The error is a *domain.RuleError. An empty base is that of the document.
	Read(document []byte, base, prefix string) ([]domain.ImportedTool, error)
}

// ToolServers are MCP servers.
type ToolServers interface {
	// List returns the tools of a server. The error is a *domain.RuleError.
	List(ctx context.Context, url string, secrets *domain.Credentials) ([]domain.RemoteTool, error)
}

// ToolReviews stores the changed definitions of tools of MCP servers, at most one of each tool.
type ToolReviews interface {
	// Found stores a definition, unless the newest version or the review of the tool has it already. It is for calls by whoever may use a bot.
	Found(ctx context.Context, review domain.ToolReview) error
	Reject(ctx context.Context, tool uuid.UUID) error
	Delete(ctx context.Context, tool uuid.UUID) error
}
