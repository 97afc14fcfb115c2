package domain

import "github.com/google/uuid"

// AccountEvent is an event of a user's account outside of any workspace. Events in a workspace are in its audit log.
type AccountEvent struct {
	UserID          uuid.UUID
	Action          string    // object.verb: session.refuse
	Reason          string    // the code of the refusal; "" where nothing was refused
	WantedWorkspace uuid.UUID // the workspace that was requested; the zero id: none in particular
}
