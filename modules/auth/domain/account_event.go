package domain

import "github.com/google/uuid"

// AccountEvent is what happened to the account of a user outside of any workspace. What happens in a workspace is in its
// audit log.
type AccountEvent struct {
	UserID          uuid.UUID
	Action          string    // object.verb: session.refuse
	Reason          string    // the code of the refusal; "" where nothing was refused
	WantedWorkspace uuid.UUID // the workspace that was asked for; the zero id: none in particular
}
