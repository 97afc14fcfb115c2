package rest

import (
	"context"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/command"
	"github.com/parley/parley/platform/page"
)

// ListInvitations lists the invitations of the workspace, newest first.
func (s Server) ListInvitations(ctx context.Context, r ListInvitationsRequestObject) (ListInvitationsResponseObject, error) {
	p, err := page.List[domain.Invitation, page.IDPosition]{
		Name: "invitations",
		Read: func(ctx context.Context, after *page.IDPosition, limit int) ([]domain.Invitation, error) {
			return s.People.Invitations.List(ctx, after.Before(), limit)
		},
		Position: func(i domain.Invitation) page.IDPosition { return page.IDPosition{ID: i.ID} },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListInvitations200JSONResponse{Items: page.Map(p.Items, toInvitation), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

// CreateInvitation invites a person by email. The answer shows the token, once.
func (s Server) CreateInvitation(ctx context.Context, r CreateInvitationRequestObject) (CreateInvitationResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		invitation, token, err := s.People.Invite.Do(ctx, usecases.NewGuest{
			By: call.From(ctx).Principal.UserID, Email: r.Body.Email, Role: domain.Role(r.Body.Role),
		})
		i := toInvitation(invitation)
		return command.Outcome{
			Answer: CreateInvitation201JSONResponse{
				ID: i.ID, Email: i.Email, Role: i.Role, InvitedBy: i.InvitedBy, CreatedAt: i.CreatedAt, ExpiresAt: i.ExpiresAt, Token: token,
			}.VisitCreateInvitationResponse,
			Audit: audit.Entry{Action: "invitation.create", Resource: "invitation", ResourceID: invitation.ID, Changes: map[string]any{
				"email": invitation.Email, "role": invitation.Role,
			}},
			Secret: true,
		}, err
	})
	return stored{answer}, err
}

// RevokeInvitation revokes an invitation that was not accepted.
func (s Server) RevokeInvitation(ctx context.Context, r RevokeInvitationRequestObject) (RevokeInvitationResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		email, err := s.People.Invitations.Revoke(ctx, r.InvitationID)
		return command.Outcome{
			Answer: RevokeInvitation204Response{}.VisitRevokeInvitationResponse,
			Audit:  audit.Entry{Action: "invitation.revoke", Resource: "invitation", ResourceID: r.InvitationID, Changes: map[string]any{"email": email}},
		}, err
	})
	return stored{answer}, err
}

// AcceptInvitation makes the invited person a member.
func (s Server) AcceptInvitation(ctx context.Context, r AcceptInvitationRequestObject) (AcceptInvitationResponseObject, error) {
	grant, err := s.People.Accept.Do(ctx, usecases.Acceptance{
		Token: r.Body.Token, Password: r.Body.Password, DeviceToken: call.From(ctx).DeviceToken, OperationID: call.From(ctx).Operation.ID, Client: client(ctx),
	})
	return AcceptInvitation200JSONResponse{TokenPairJSONResponse(pair(grant))}, err
}

func toInvitation(i domain.Invitation) Invitation {
	return Invitation{
		ID: i.ID, Email: i.Email, Role: Role(i.Role), InvitedBy: i.InvitedBy, CreatedAt: i.CreatedAt, ExpiresAt: i.ExpiresAt,
		AcceptedAt: i.AcceptedAt, RevokedAt: i.RevokedAt,
	}
}
