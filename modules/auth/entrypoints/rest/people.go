package rest

import (
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
