package rest

import (
	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
)

// People has what the calls about workspaces and their members need.
type People struct {
	Create      usecases.CreateWorkspace
	Rename      usecases.RenameWorkspace
	ChangeRole  usecases.ChangeRole
	Remove      usecases.RemoveMember
	CreateKey   usecases.CreateAPIKey
	Keys        ports.Keys
	Invite      usecases.InvitePerson
	Accept      usecases.AcceptInvitation
	Invitations ports.Invitations
	Workspaces  ports.Workspaces
	Removal     ports.Removal
	Members     ports.Members
	Authorities ports.Authorities
}

// idPosition is a place in a list that is sorted by id.
type idPosition struct {
	ID uuid.UUID `json:"i"`
}

func (p *idPosition) before() *uuid.UUID {
	if p == nil {
		return nil
	}
	return &p.ID
}
