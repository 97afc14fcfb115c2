package usecases

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/fail"
)

// ExchangeSignIn opens a session for the code of a finished sign-in.
type ExchangeSignIn struct {
	SignIns    ports.SignIns
	Seals      ports.SignInSeals
	Identities ports.Identities
	Users      ports.Users
	Accounts   ports.Accounts
	Attempts   ports.Attempts
	Events     ports.AccountEvents
	Notices    AccountNotices
	Roles      AssignRoles
	Issuer     SessionIssuer
	Closed     bool // a sign-in makes no account
	Shared     bool // accounts that have not proved an address do not block it
}

// SignInExchange is the input of ExchangeSignIn.
type SignInExchange struct {
	Code        string
	Verifier    string   // of the application's challenge; "" for none
	Kept        []string // what the browser has kept, of all sign-ins
	OperationID uuid.UUID
	Client      domain.Client
	Language    string // an Accept-Language
}

// Do changes a code for a session of the account that the person has, which is found by the subject of the provider, or
// else linked by an address that both sides have verified, or else made. A code works once.
func (u ExchangeSignIn) Do(ctx context.Context, in SignInExchange) (Grant, error) {
	hash := domain.HashOf(in.Code)
	found, err := u.SignIns.Find(ctx, hash)
	if err != nil {
		return Grant{}, err
	}
	var browsers []string
	for _, kept := range in.Kept {
		if signIn, ok := u.Seals.Open(kept); ok {
			browsers = append(browsers, signIn.Browser)
		}
	}
	if !found.MayBeTaken(in.Verifier, browsers, u.Issuer.Now()) {
		return Grant{}, ports.ErrSignInCode
	}
	if err := u.SignIns.Use(ctx, hash); err != nil {
		return Grant{}, err
	}
	user, err := u.account(ctx, found.Assertion, in)
	if err != nil {
		return Grant{}, err
	}
	if err := u.Roles.Do(ctx, user, found.Assertion); err != nil {
		return Grant{}, err
	}
	workspace, err := u.workspaceOf(ctx, user)
	if err != nil {
		return Grant{}, err
	}
	return u.Issuer.OpenBy(ctx, SignIn{
		WorkspaceID: workspace, UserID: user, Client: in.Client, Methods: []domain.Method{domain.MethodProvider}, Action: openAction,
	}, func(ctx context.Context) error {
		if _, err := u.owner(ctx); err != nil {
			return err
		}
		return u.Attempts.Pass(ctx, domain.Attempt{Network: domain.Network(in.Client.IP)})
	})
}

// account returns the user whom an assertion is about.
func (u ExchangeSignIn) account(ctx context.Context, a domain.Assertion, in SignInExchange) (uuid.UUID, error) {
	user, err := u.known(ctx, a)
	if err != nil || user != uuid.Nil {
		return user, err
	}
	email, err := domain.NewEmail(a.Email)
	if err != nil || !a.EmailVerified {
		return uuid.Nil, ports.ErrAddressNotProved
	}
	if user, err = u.link(ctx, email, in.Language, a); err != nil || user != uuid.Nil {
		return user, err
	}
	if u.Closed {
		return uuid.Nil, ports.ErrSignUpClosed
	}
	user, err = u.register(ctx, email, a, in)
	if !errors.Is(err, ports.ErrEmailExists) {
		return user, err
	}
	if user, err = u.known(ctx, a); err != nil || user != uuid.Nil { // the same person, in another tab
		return user, err
	}
	if user, err = u.link(ctx, email, in.Language, a); err == nil && user == uuid.Nil {
		err = fail.ErrInternal.Because(errors.New("an address is taken and nobody has it"))
	}
	return user, err
}

// known returns the user whom the subject of an assertion has signed in before; the zero id where there is none.
func (u ExchangeSignIn) known(ctx context.Context, a domain.Assertion) (uuid.UUID, error) {
	user, err := u.Identities.Find(ctx, a.Issuer, a.Subject)
	if err != nil || user == uuid.Nil {
		return uuid.Nil, err
	}
	return user, u.Issuer.Transactions.As(ctx, uuid.Nil, user, func(ctx context.Context) error {
		if _, err := u.owner(ctx); err != nil {
			return err
		}
		return u.Identities.Save(ctx, domain.NewIdentity(user, a, u.Issuer.Now()))
	})
}

// link lets a subject sign in to the account of its address, which the provider has verified, if the account has too and together with its password, and sends
// a notice; the zero id where no account has the address.
func (u ExchangeSignIn) link(ctx context.Context, email domain.Email, language string, a domain.Assertion) (uuid.UUID, error) {
	login, err := u.Users.FindLogin(ctx, email, uuid.Nil)
	if err != nil || login == nil || u.Shared && !login.Verified {
		return uuid.Nil, err
	}
	return login.UserID, u.Issuer.Transactions.As(ctx, uuid.Nil, login.UserID, func(ctx context.Context) error {
		owner, err := u.owner(ctx)
		if err != nil {
			return err
		}
		if owner.Proof() != domain.AccountProof { // its password may be a stranger's
			return ports.ErrAccountNotProved
		}
		if err := u.Identities.Save(ctx, domain.NewIdentity(owner.ID, a, u.Issuer.Now())); err != nil {
			return err
		}
		if err := u.Notices.Send(ctx, domain.EmailIdentityLinked, owner.ID, owner.Email, language); err != nil {
			return err
		}
		return u.Events.Record(ctx, domain.AccountEvent{UserID: owner.ID, Action: "identity.link"})
	})
}

// register makes an account without a password and without a workspace.
func (u ExchangeSignIn) register(ctx context.Context, email domain.Email, a domain.Assertion, in SignInExchange) (uuid.UUID, error) {
	r := domain.Registration{UserID: uuid.Must(uuid.NewV7()), Email: email, OperationID: in.OperationID, At: u.Issuer.Now(), SharesAddress: u.Shared}
	return r.UserID, u.Issuer.Transactions.As(ctx, uuid.Nil, r.UserID, func(ctx context.Context) error {
		if err := u.Users.RegisterInvited(ctx, r); err != nil {
			return err
		}
		err := u.Accounts.VerifyAddress(ctx, r.UserID, email.String(), domain.AccountProof, r.At)
		if errors.Is(err, ports.ErrAddressProved) {
			return ports.ErrEmailExists // another tab was quicker
		}
		if err != nil {
			return err
		}
		if err := u.Identities.Save(ctx, domain.NewIdentity(r.UserID, a, r.At)); err != nil {
			return err
		}
		return u.Events.Record(ctx, domain.AccountEvent{UserID: r.UserID, Action: "user.register"})
	})
}

// owner locks the user of the context, who must not be disabled.
func (u ExchangeSignIn) owner(ctx context.Context) (domain.AccountOwner, error) {
	owner, err := u.Identities.Owner(ctx)
	if err != nil {
		return domain.AccountOwner{}, err
	}
	if owner.DisabledAt != nil {
		return domain.AccountOwner{}, ports.ErrAccountDisabled
	}
	return owner, nil
}

// workspaceOf returns the first workspace of a user that is not deleted; the zero id where there is none.
func (u ExchangeSignIn) workspaceOf(ctx context.Context, user uuid.UUID) (first uuid.UUID, err error) {
	err = u.Issuer.Transactions.As(ctx, uuid.Nil, user, func(ctx context.Context) error {
		profile, err := u.Users.Profile(ctx)
		if err != nil {
			return err
		}
		for _, m := range profile.Memberships {
			if m.DeletedAt == nil {
				first = m.WorkspaceID
				return nil
			}
		}
		return nil
	})
	return first, err
}
