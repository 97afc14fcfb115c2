package domain

import (
	"time"

	"github.com/google/uuid"
)

// Authority is what a member may let others do in the workspace. What exceeds it ends when the member's role changes.
type Authority struct {
	Invites    []Role // roles that the member may invite with
	Keys       []Role // roles of API keys that work while the member is responsible for them
	Subscribes bool   // whether events are delivered to webhook subscriptions that the member is responsible for
}

// AuthorityOf returns the authority of a role. The empty role, of a user who is not a member, has none.
func AuthorityOf(role Role) Authority {
	a := Authority{Subscribes: role.May(manageWebhooks)}
	for _, other := range []Role{Owner, Admin, Editor, Viewer} {
		if role.MayInvite(other) {
			a.Invites = append(a.Invites, other)
		}
		if isKeyRole(other) && !other.Above(role) {
			a.Keys = append(a.Keys, other)
		}
	}
	if role.May(takeTurns) { // which both let others do
		a.Keys = append(a.Keys, Chat, Embed)
	}
	return a
}

// Ended counts what was stopped because an authority ended.
type Ended struct {
	Invitations   int // that were revoked
	Keys          int // API keys that were suspended
	Subscriptions int // webhook subscriptions whose deliveries are held
}

// Resource is something that depends on the authority of a member or an API key.
type Resource struct {
	Kind          string // api_key, webhook_subscription or webhook_endpoint
	ID            uuid.UUID
	Name          string // the URL of a subscription
	Status        string // active or disabled; suspended (an API key) or held (a subscription) since StoppedAt
	CreatedBy     uuid.UUID
	ResponsibleID uuid.UUID // the member or the API key
	CreatedAt     time.Time
	StoppedAt     *time.Time // nil: it works
}
