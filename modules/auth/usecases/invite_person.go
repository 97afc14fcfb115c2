package usecases

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/fail"
)

// InvitePerson asks somebody into a workspace.
type InvitePerson struct {
	Workspaces  ports.Workspaces
	Members     ports.Members
	Invitations ports.Invitations
	Outbox      ports.Outbox
	Now         func() time.Time
}

// NewGuest is whom InvitePerson is asked to invite.
type NewGuest struct {
	By    uuid.UUID
	Email string
	Role  domain.Role
}

// Do invites, and queues the letter that says so. The token is given here and in the letter, and never again.
func (u InvitePerson) Do(ctx context.Context, in NewGuest) (invitation domain.Invitation, token string, err error) {
	email, err := domain.NewEmail(in.Email)
	if err != nil {
		return domain.Invitation{}, "", fail.Fields(fail.Field{Field: "email", Code: "INVALID", Message: err.Error()})
	}
	team, err := u.Members.Lock(ctx, in.By)
	if err != nil {
		return domain.Invitation{}, "", err
	}
	if err := team.Invite(in.By, in.Role); err != nil {
		return domain.Invitation{}, "", refusal(err)
	}
	workspace, err := u.Workspaces.Get(ctx)
	if err != nil {
		return domain.Invitation{}, "", err
	}
	invitation, token = domain.NewInvitation(email, in.Role, in.By, u.Now())
	if err := u.Invitations.Create(ctx, invitation, domain.HashOf(token)); err != nil {
		return domain.Invitation{}, "", err
	}
	return invitation, token, u.Outbox.Post(ctx, letter(workspace, invitation, token))
}

func letter(w domain.Workspace, i domain.Invitation, token string) domain.Letter {
	return domain.Letter{
		To: i.Email, Subject: "You are invited",
		Text: fmt.Sprintf("You are invited into a workspace of Parley, as %s:\n\n    %s\n\nYour invitation is good once, until %s:\n\n    %s\n\n"+
			"Accept it with POST /v1/invitations/accept, with the password of your account, or one for a new account.\n"+
			"If you do not know what this is about, do nothing.\n", i.Role, w.Name, i.ExpiresAt.Format(time.RFC1123), token),
	}
}
