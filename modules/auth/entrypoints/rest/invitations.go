package rest

import (
	"context"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

// Invitations has what the calls about invitations need.
type Invitations struct {
	Invite usecases.InvitePerson
	Accept usecases.AcceptInvitation
	Store  ports.Invitations
}

// ListInvitations lists the invitations of the workspace, newest first.
func (s Server) ListInvitations(ctx context.Context, r ListInvitationsRequestObject) (ListInvitationsResponseObject, error) {
	p, err := page.List[domain.Invitation, page.IDPosition]{
		Name: "invitations",
		Read: func(ctx context.Context, after *page.IDPosition, limit int) ([]domain.Invitation, error) {
			return s.Invitations.Store.List(ctx, after.Before(), limit)
		},
		Position: func(i domain.Invitation) page.IDPosition { return page.IDPosition{ID: i.ID} },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListInvitations200JSONResponse{Items: page.Map(p.Items, toInvitation), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

// CreateInvitation invites a person by email. The answer shows the token, once, unless it is in the email alone.
func (s Server) CreateInvitation(ctx context.Context, r CreateInvitationRequestObject) (CreateInvitationResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		invitation, token, err := s.Invitations.Invite.Do(ctx, usecases.NewGuest{
			By: callctx.From(ctx).Principal.UserID, Email: r.Body.Email, Role: domain.Role(r.Body.Role),
			Language: callctx.From(ctx).AcceptLanguage,
		})
		i := toInvitation(invitation)
		var shown *string
		if token != "" {
			shown = &token
		}
		return command.Outcome{
			Answer: CreateInvitation201JSONResponse{
				ID: i.ID, Email: i.Email, Role: i.Role, InvitedBy: i.InvitedBy, CreatedAt: i.CreatedAt, ExpiresAt: i.ExpiresAt, Token: shown,
			}.VisitCreateInvitationResponse,
			Audit: audit.Entry{Action: "invitation.create", Resource: "invitation", ResourceID: invitation.ID, Changes: map[string]any{
				"role": invitation.Role,
			}},
			Secret: true,
		}, err
	})
	return stored{answer}, err
}

// RevokeInvitation revokes an invitation that was not accepted.
func (s Server) RevokeInvitation(ctx context.Context, r RevokeInvitationRequestObject) (RevokeInvitationResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		return command.Outcome{
			Answer: RevokeInvitation204Response{}.VisitRevokeInvitationResponse,
			Audit:  audit.Entry{Action: "invitation.revoke", Resource: "invitation", ResourceID: r.InvitationID},
		}, s.Invitations.Store.Revoke(ctx, r.InvitationID)
	})
	return stored{answer}, err
}

// AcceptInvitation makes the invited person a member.
func (s Server) AcceptInvitation(ctx context.Context, r AcceptInvitationRequestObject) (AcceptInvitationResponseObject, error) {
	grant, err := s.Invitations.Accept.Do(ctx, usecases.Acceptance{
		Token: r.Body.Token, Password: r.Body.Password, DeviceToken: callctx.From(ctx).DeviceToken, OperationID: callctx.From(ctx).Operation.ID, Client: client(ctx),
		Language: callctx.From(ctx).AcceptLanguage,
	})
	return AcceptInvitation200JSONResponse{TokenPairJSONResponse(pair(grant))}, err
}

func toInvitation(i domain.Invitation) Invitation {
	return Invitation{
		ID: i.ID, Email: i.Email, Role: Role(i.Role), InvitedBy: i.InvitedBy, CreatedAt: i.CreatedAt, ExpiresAt: i.ExpiresAt,
		AcceptedAt: i.AcceptedAt, RevokedAt: i.RevokedAt,
	}
}
