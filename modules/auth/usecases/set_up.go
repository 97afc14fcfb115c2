package usecases

import (
	"context"
	"time"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
)

// SetUp makes the first account of an installation, with its workspace, by a link that is printed at the start.
type SetUp struct {
	Store  ports.SetUp
	Create CreateUser
	Check  PasswordCheck
	Issuer SessionIssuer
	Key    []byte // of the tokens
}

// FirstAccount is the input of SetUp.
type FirstAccount struct {
	Token, Email, Password, WorkspaceName string
	Client                                domain.Client
}

// Link returns a token and until when it is valid; "" where there is an account already.
func (u SetUp) Link(ctx context.Context) (token string, until time.Time, err error) {
	empty, err := u.Store.Begin(ctx)
	if err != nil || !empty {
		return "", until, err
	}
	token, until = domain.NewSetUpToken(u.Key, u.Issuer.Now())
	return token, until, nil
}

// Do makes the account and signs it in. Whoever has the link can read what the server prints, and vouches for the address.
// ErrLinkNotFound where the token is not valid, or there is an account.
func (u SetUp) Do(ctx context.Context, in FirstAccount) (Grant, error) {
	if !domain.IsSetUpToken(u.Key, in.Token, u.Issuer.Now()) {
		return Grant{}, ports.ErrLinkNotFound
	}
	r, err := u.Create.Prepare(ctx, in.Email, in.Password, in.WorkspaceName)
	if err != nil {
		return Grant{}, err
	}
	grant, err := u.Issuer.Open(ctx, r.WorkspaceID, r.UserID, in.Client, "user.set_up", func(ctx context.Context) error {
		empty, err := u.Store.Begin(ctx)
		if err != nil {
			return err
		}
		if !empty {
			return ports.ErrLinkNotFound
		}
		if err := u.Create.Do(ctx, r); err != nil {
			return err
		}
		return u.Check.Attempts.Pass(ctx, domain.Attempt{Network: domain.Network(in.Client.IP)})
	})
	if err != nil {
		return Grant{}, err
	}
	grant.DeviceToken = u.Check.Devices.Issue(r.UserID, r.PasswordHash, "")
	return grant, nil
}

// SetUpURL returns the address of the page on which a token makes the first account.
func SetUpURL(publicURL, token string) string { return pageURL(publicURL, pageOfSetUp, token) }
