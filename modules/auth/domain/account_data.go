package domain

import (
	"encoding/json"
	"net/netip"
	"time"

	"github.com/google/uuid"
)

// AccountData is what is stored about a user, without what it has done.
type AccountData struct {
	User        User
	Identities  []Identity
	Workspaces  []Workspace
	Sessions    []Session // with those that have ended, which are kept for 30 days
	Devices     []KnownDevice
	Invitations []OwnInvitation
}

// OwnInvitation is an invitation that a user has accepted, or one to its address.
type OwnInvitation struct {
	Invitation

	WorkspaceID   uuid.UUID
	WorkspaceName string
}

// OwnAction is something that a user has done: an event of its account, or an entry of the audit log of a workspace.
type OwnAction struct {
	ID           uuid.UUID
	WorkspaceID  uuid.UUID // the zero id: outside of any workspace
	At           time.Time
	Action       string    // object.verb
	Reason       string    // the code of the refusal; "" where nothing was refused
	ResourceType string    // "" for an event of the account
	ResourceID   uuid.UUID // the zero id: there is none
	OperationID  uuid.UUID // the zero id: there was none
	TraceID      string
	Changes      json.RawMessage
	IP           netip.Addr // invalid where unknown
	UserAgent    string
}
