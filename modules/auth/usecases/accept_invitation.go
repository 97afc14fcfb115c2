package usecases

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/fail"
)

// AcceptInvitation makes the person who presents a token a member, and signs the person in.
type AcceptInvitation struct {
	Invitations ports.Invitations
	Authorities ports.Authorities
	Users       ports.Users
	Accounts    ports.Accounts
	Check       PasswordCheck
	Issuer      SessionIssuer
	Verify      VerifyEmail
	Closed      bool // an invitation makes no account
	// Shared finds the accounts of an address that several accounts have until one proves it; nil: an address has one account.
	Shared ports.SharedAddresses
}

// Acceptance is the input of AcceptInvitation.
type Acceptance struct {
	Token, Password string
	DeviceToken     string // of an earlier log-in; "" for none
	OperationID     uuid.UUID
	Client          domain.Client
	Language        string // of emails, as an Accept-Language
}

// Do accepts an invitation. The password is that of the account of the address, or one for a new account. The same call
// again opens another session, while the membership lasts. An invitation is valid only while the inviter may send it;
// otherwise the error is the same as for a revoked one.
func (u AcceptInvitation) Do(ctx context.Context, in Acceptance) (Grant, error) {
	guest, err := u.Invitations.Find(ctx, domain.HashOf(in.Token))
	if err != nil {
		return Grant{}, err
	}
	switch {
	case guest.Accepted && guest.OperationID != in.OperationID:
		return Grant{}, ports.ErrInvitationUsed
	case !guest.Accepted && !u.Issuer.Now().Before(guest.ExpiresAt):
		return Grant{}, ports.ErrInvitationExpired
	case guest.UserID != uuid.Nil && u.Shared != nil:
		return u.acceptShared(ctx, guest, in)
	case guest.UserID == uuid.Nil && u.Closed:
		return Grant{}, ports.ErrSignUpClosed
	case guest.UserID == uuid.Nil:
		return u.register(ctx, guest, in)
	default:
		return u.join(ctx, guest, in)
	}
}

// acceptShared accepts an invitation to an address that accounts have. Of those that have not proved it, one is meant whose
// password is given; the others are in nobody's way.
func (u AcceptInvitation) acceptShared(ctx context.Context, guest domain.Guest, in Acceptance) (Grant, error) {
	email, err := domain.GivenEmail(guest.Email)
	if err != nil {
		return Grant{}, ports.ErrInvitationNotFound
	}
	found, err := u.Shared.FindLogins(ctx, email, uuid.Nil, domain.MaxUnverified)
	if err != nil {
		return Grant{}, err
	}
	for _, login := range found {
		if login.Verified {
			guest.UserID, guest.PasswordHash = login.UserID, login.PasswordHash
			return u.join(ctx, guest, in)
		}
		attempt, err := u.Check.VerifyOwn(ctx, &login, in.Password)
		if errors.Is(err, ports.ErrInvalidCredentials) {
			continue
		}
		if err != nil {
			return Grant{}, err
		}
		guest.UserID, guest.PasswordHash = login.UserID, login.PasswordHash
		return u.enter(ctx, guest, in, attempt)
	}
	if u.Closed {
		return Grant{}, ports.ErrSignUpClosed
	}
	return u.register(ctx, guest, in)
}

// register makes an account for a person who has none.
func (u AcceptInvitation) register(ctx context.Context, guest domain.Guest, in Acceptance) (Grant, error) {
	password, err := domain.NewPassword(in.Password, domain.PasswordContext(guest.Email, guest.WorkspaceName)...)
	if err != nil {
		return Grant{}, fail.Fields(fail.Field{Field: "password", Code: "INVALID", Message: err.Error()})
	}
	hash, err := u.Check.Passwords.Hash(ctx, password)
	if err != nil {
		return Grant{}, err
	}
	email, err := domain.NewEmail(guest.Email)
	if err != nil { // it is older than the canonical form, in which no new account can have such an address
		return Grant{}, ports.ErrInvitationNotFound
	}
	user := domain.Registration{
		UserID: uuid.Must(uuid.NewV7()), Email: email, PasswordHash: hash, OperationID: in.OperationID, At: u.Issuer.Now(),
		SharesAddress: u.Shared != nil,
	}
	grant, err := u.Issuer.Open(ctx, guest.WorkspaceID, user.UserID, in.Client, "invitation.accept", func(ctx context.Context) error {
		if err := u.checkInviter(ctx, guest); err != nil {
			return err
		}
		if err := u.Users.RegisterInvited(ctx, user); err != nil {
			return err
		}
		if err := u.Verify.Ask(ctx, user.UserID, email.String(), in.Language, in.Client); err != nil { // who invites knows the token too
			return err
		}
		if err := u.Invitations.Accept(ctx, guest, user.UserID, in.OperationID, user.At); err != nil {
			return err
		}
		return u.Check.Attempts.Pass(ctx, domain.Attempt{Network: domain.Network(in.Client.IP)})
	})
	if err != nil {
		return Grant{}, err
	}
	grant.DeviceToken = u.Check.Devices.Issue(user.UserID, hash, in.DeviceToken)
	return grant, nil
}

// checkInviter locks the inviter's role until the transaction ends, and checks that the inviter may still invite.
func (u AcceptInvitation) checkInviter(ctx context.Context, guest domain.Guest) error {
	role, err := u.Authorities.LockInviter(ctx, guest.Invitation)
	if err != nil {
		return err
	}
	if !role.MayInvite(guest.Role) {
		return ports.ErrInvitationNotFound
	}
	return nil
}

// join adds a person who has an account. The password is verified as at log-in.
func (u AcceptInvitation) join(ctx context.Context, guest domain.Guest, in Acceptance) (Grant, error) {
	if guest.PasswordHash == "" {
		return Grant{}, ports.ErrNoPassword
	}
	login := &domain.Login{UserID: guest.UserID, PasswordHash: guest.PasswordHash}
	attempt, err := u.Check.Verify(ctx, guest.Email, in.Password, login, in.Client.IP, in.DeviceToken)
	if err != nil {
		return Grant{}, err
	}
	return u.enter(ctx, guest, in, attempt)
}

// enter adds a person whose password was right, and ends the attempt.
func (u AcceptInvitation) enter(ctx context.Context, guest domain.Guest, in Acceptance, attempt domain.Attempt) (Grant, error) {
	action := "invitation.accept"
	if guest.Accepted {
		action = "session.open"
	}
	grant, err := u.Issuer.Open(ctx, guest.WorkspaceID, guest.UserID, in.Client, action, func(ctx context.Context) error {
		if err := u.Accounts.ReplacePassword(ctx, guest.UserID, guest.PasswordHash, guest.PasswordHash); err != nil {
			return err // the password was changed in the meantime
		}
		if !guest.Accepted {
			if err := u.checkInviter(ctx, guest); err != nil {
				return err
			}
			if err := u.Invitations.Accept(ctx, guest, guest.UserID, in.OperationID, u.Issuer.Now()); err != nil {
				return err
			}
		}
		return u.Check.Attempts.Pass(ctx, attempt)
	})
	if errors.Is(err, ports.ErrPasswordChanged) {
		return Grant{}, ports.ErrInvalidCredentials
	}
	if errors.Is(err, ports.ErrAccountDisabled) {
		return Grant{}, u.Check.Disabled(ctx, attempt)
	}
	if err != nil {
		return Grant{}, err
	}
	grant.DeviceToken = u.Check.Devices.Issue(guest.UserID, guest.PasswordHash, in.DeviceToken)
	return grant, nil
}
