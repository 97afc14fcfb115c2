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

// InvitePerson invites a person to a workspace.
type InvitePerson struct {
	Workspaces  ports.Workspaces
	Members     ports.Members
	Invitations ports.Invitations
	Mail        ports.MailLimits
	Outbox      ports.Outbox
	Daily       int64 // invitations a day of a workspace, and of a person in all workspaces; 0: no limit
	Now         func() time.Time
}

// NewGuest is the input of InvitePerson.
type NewGuest struct {
	By    uuid.UUID
	Email string
	Role  domain.Role
}

// Do makes an invitation and queues its email. It returns the token, which is also in the email and cannot be read
// later. An address receives a limited number of emails, whoever invites it; the result is the same where the email is
// withheld.
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
	inviter, err := u.Members.Get(ctx, in.By)
	if err != nil {
		return domain.Invitation{}, "", err
	}
	workspace, err := u.Workspaces.Get(ctx)
	if err != nil {
		return domain.Invitation{}, "", err
	}
	if err := u.Mail.CountInvitation(ctx, workspace.ID, in.By, u.Daily); err != nil {
		return domain.Invitation{}, "", err
	}
	announced, err := u.Mail.Announce(ctx, email)
	if err != nil {
		return domain.Invitation{}, "", err
	}
	invitation, token = domain.NewInvitation(email, in.Role, in.By, u.Now())
	invitation.Announced = announced
	if err := u.Invitations.Create(ctx, invitation, domain.HashOf(token)); err != nil {
		return domain.Invitation{}, "", err
	}
	return invitation, token, u.Outbox.Post(ctx, letter(inviter, workspace, invitation, token))
}

// letter returns the email about an invitation: who invites whom to which workspace.
func letter(by domain.Member, w domain.Workspace, i domain.Invitation, token string) domain.Letter {
	inviter := domain.MailAddress(by.Email)
	l := domain.Letter{
		To: i.Email, Subject: "Invitation to a workspace of Parley",
		Text: fmt.Sprintf("%s invites %s to a workspace of Parley, as %s. Its members call it:\n\n    \"%s\"\n\n"+
			"The invitation is good once, until %s. Its token is:\n\n    %s\n\n"+
			"Accept it with POST /v1/invitations/accept, with the password of your account, or one for a new account.\n"+
			"If you do not know who %s is, do nothing: without you nothing happens.\n",
			inviter, domain.MailAddress(i.Email), i.Role, domain.MailName(w.Name), i.ExpiresAt.UTC().Format(time.RFC1123), token, inviter),
	}
	if !i.Announced {
		l.Withheld = 1
	}
	return l
}
