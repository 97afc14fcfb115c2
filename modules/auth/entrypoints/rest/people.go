package rest

import (
	"net/http"

	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/page"
)

// People is what serves the calls about workspaces and who is in them.
type People struct {
	Create            usecases.CreateWorkspace
	Rename            usecases.RenameWorkspace
	ChangeRole        usecases.ChangeRole
	Remove            usecases.RemoveMember
	CreateKey         usecases.CreateAPIKey
	Keys              ports.Keys
	Invite            usecases.InvitePerson
	Accept            usecases.AcceptInvitation
	Invitations       ports.Invitations
	Workspaces        ports.Workspaces
	Removal           ports.Removal
	Members           ports.Members
	Authorities       ports.Authorities
	WorkspaceCursors  page.Cursors[ports.Position]
	MemberCursors     page.Cursors[ports.Position]
	InvitationCursors page.Cursors[JobPosition]
	KeyCursors        page.Cursors[JobPosition]
	ResourceCursors   page.Cursors[JobPosition]
}

func (s stored) VisitCreateWorkspaceResponse(w http.ResponseWriter) error  { return s.Write(w) }
func (s stored) VisitChangeWorkspaceResponse(w http.ResponseWriter) error  { return s.Write(w) }
func (s stored) VisitLeaveWorkspaceResponse(w http.ResponseWriter) error   { return s.Write(w) }
func (s stored) VisitChangeMemberResponse(w http.ResponseWriter) error     { return s.Write(w) }
func (s stored) VisitRemoveMemberResponse(w http.ResponseWriter) error     { return s.Write(w) }
func (s stored) VisitCreateAPIKeyResponse(w http.ResponseWriter) error     { return s.Write(w) }
func (s stored) VisitRevokeAPIKeyResponse(w http.ResponseWriter) error     { return s.Write(w) }
func (s stored) VisitAdoptAPIKeyResponse(w http.ResponseWriter) error      { return s.Write(w) }
func (s stored) VisitCreateInvitationResponse(w http.ResponseWriter) error { return s.Write(w) }
func (s stored) VisitRevokeInvitationResponse(w http.ResponseWriter) error { return s.Write(w) }
func (s stored) VisitDeleteWorkspaceResponse(w http.ResponseWriter) error  { return s.Write(w) }
func (s stored) VisitRestoreWorkspaceResponse(w http.ResponseWriter) error { return s.Write(w) }
