package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/fail"
)

// InvitePerson invites a person to a workspace.
type InvitePerson struct {
	Workspaces  ports.Workspaces
	Members     ports.Members
	Invitations ports.Invitations
	Mail        ports.MailLimits
	Texts       ports.EmailTexts
	Outbox      ports.Outbox
	Accounts    ports.Accounts
	Verified    bool   // who invites must have proved its address
	Mailed      bool   // the token is in the email alone: an invitation does not tell its inviter what the address has
	PublicURL   string // what the link of the email begins with; "": the email has the token instead
	Daily       int64  // invitations a day of a workspace, and of a person in all workspaces; 0: no limit
	Now         func() time.Time
}

// NewGuest is the input of InvitePerson.
type NewGuest struct {
	By       uuid.UUID
	Email    string
	Role     domain.Role
	Language string // of the email, as an Accept-Language
}

// Do makes an invitation and queues its email. It returns the token, which is also in the email and cannot be read
// later; "" where it is in the email alone. Who has the token learns, by accepting with any password, whether the address has an
// account. An address receives a limited number of emails, whoever invites it; the result is the same where the email is
// withheld.
func (u InvitePerson) Do(ctx context.Context, in NewGuest) (invitation domain.Invitation, token string, err error) {
	email, err := domain.NewEmail(in.Email)
	if err != nil {
		return domain.Invitation{}, "", fail.Fields(fail.Field{Field: "email", Code: "INVALID", Message: err.Error()})
	}
	if err := u.checkInviter(ctx); err != nil {
		return domain.Invitation{}, "", err
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
	message, err := u.email(inviter, workspace, invitation, token, in.Language)
	if err != nil {
		return domain.Invitation{}, "", err
	}
	if u.Mailed {
		token = ""
	}
	return invitation, token, u.Outbox.Post(ctx, message)
}

// checkInviter returns fail.ErrEmailNotVerified for a caller who may not invite before its address is proved.
func (u InvitePerson) checkInviter(ctx context.Context) error {
	if !u.Verified {
		return nil
	}
	user, err := u.Accounts.User(ctx)
	if err == nil && user.VerifiedAt == nil {
		return fail.ErrEmailNotVerified
	}
	return err
}

// email returns the email about an invitation: who invites whom to which workspace. Its language is that of the inviter.
func (u InvitePerson) email(by domain.Member, w domain.Workspace, i domain.Invitation, token, language string) (domain.EmailMessage, error) {
	message, err := u.Texts.Write(domain.EmailInvitation, language, i.Email, domain.EmailFacts{
		Inviter: by.Email, Address: i.Email, Role: i.Role, Workspace: w.Name, Until: i.ExpiresAt, Token: token, Link: invitationURL(u.PublicURL, token),
	})
	if !i.Announced {
		message.Withheld = 1
	}
	return message, err
}

// invitationURL returns the address of the page of the console on which a token is accepted; "" where nobody knows what it begins
// with. Browsers do not send the part behind # to any server.
func invitationURL(publicURL, token string) string {
	if publicURL == "" {
		return ""
	}
	return publicURL + "/console/invitation#" + token
}
