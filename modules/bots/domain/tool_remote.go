package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// RemoteTool is the definition of a tool as an MCP server has it.
type RemoteTool struct {
	Name        string // on the server
	Description string // for the model, not empty
	Schema      json.RawMessage
	Effect      Effect // that the server's hints suggest
	Hash        string // of all that the server says of what the tool is and does
	Problem     string // why it cannot be a tool; empty: it can
}

// RemoteHints are what an MCP server says of the effects of a tool. Nothing makes a server say the truth.
type RemoteHints struct {
	ReadOnly    bool  `json:"read_only"`
	Destructive *bool `json:"destructive"`
	Idempotent  bool  `json:"idempotent"`
	OpenWorld   *bool `json:"open_world"`
}

// RemoteHash returns the hash of a definition on an MCP server: SHA-256 of its JSON, with the keys of the schema in order, in
// hexadecimal digits. The schema is what encoding/json makes of any JSON.
func RemoteHash(name, title, description string, schema any, hints RemoteHints) string {
	raw, _ := json.Marshal(map[string]any{ // of decoded JSON: it cannot fail
		"name": name, "title": title, "description": description, "schema": schema, "hints": hints,
	})
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// ReviewStatus is what an editor has decided of a changed definition.
type ReviewStatus string

// The statuses. An accepted definition is the next version of the tool, and has no review any more.
const (
	ReviewWaiting  ReviewStatus = "waiting"
	ReviewRejected ReviewStatus = "rejected"
)

// ToolReview is a definition that the server of a tool had last, and that the tool does not have.
type ToolReview struct {
	ToolID  uuid.UUID
	Status  ReviewStatus
	Remote  RemoteTool // without the schema, and with a problem, where that is too large
	FoundAt time.Time
}

// Accepted returns the definition that a tool has once an editor accepts a review. A nil effect stays as it is.
func (r ToolReview) Accepted(effect *Effect) (ToolChanges, error) {
	if r.Remote.Problem != "" {
		return ToolChanges{}, &RuleError{Field: "decision", Rule: "must be reject, as the definition cannot be that of a tool: " + r.Remote.Problem}
	}
	return ToolChanges{Description: &r.Remote.Description, Schema: r.Remote.Schema, Effect: effect, DefinitionHash: &r.Remote.Hash}, nil
}

// Changes returns the definition of a tool that calls a remote tool at a URL.
func (r RemoteTool) Changes(url string) ToolChanges {
	return ToolChanges{
		Description: &r.Description, Schema: r.Schema, Effect: &r.Effect, URL: &url, RemoteName: &r.Name, DefinitionHash: &r.Hash,
	}
}
