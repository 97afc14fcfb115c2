package usecases

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/callctx"
)

// SendAccountEmails sends the emails about accounts that wait. Links and codes are made here, so that none is stored.
type SendAccountEmails struct {
	Emails       ports.AccountEmails
	Links        ports.AccountLinks
	Changes      ports.AddressChanges
	Users        ports.Users
	Accounts     ports.Accounts
	Limits       ports.MailLimits
	Devices      ports.KnownDevices
	Texts        ports.EmailTexts
	Mailer       ports.Mailer
	Transactions ports.Transactions
	PublicURL    string // what links begin with
	CodeKey      []byte // for the hashes of codes
	VerifiedOnly bool   // passwords are reset by links only of accounts that have proved their address
	Log          *slog.Logger
	Now          func() time.Time
}

const (
	emailsAtOnce  = 4
	emailsClaimed = 16
)

// errNoEmail means that an email has become pointless, or may not be sent.
var errNoEmail = errors.New("there is nothing to send")

// Do sends emails until none is due. An email is sent again where its process dies before it has noted the sending.
func (u SendAccountEmails) Do(ctx context.Context) error {
	for {
		due, err := u.Emails.Claim(ctx, emailsClaimed)
		if err != nil || len(due) == 0 {
			return err
		}
		var group errgroup.Group
		group.SetLimit(emailsAtOnce)
		for _, e := range due {
			group.Go(func() error { return u.handle(callctx.With(ctx, &callctx.Call{TraceID: e.TraceID}), e) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
}

// handle makes one attempt. Its error is about the queue; that of the attempt is logged.
func (u SendAccountEmails) handle(ctx context.Context, e domain.AccountEmail) error {
	err := u.send(ctx, e)
	if err == nil || errors.Is(err, errNoEmail) {
		return u.Emails.Done(ctx, e)
	}
	wait, again := e.RetryAfter(u.Now())
	if !again || errors.Is(err, ports.ErrUndeliverable) {
		u.Log.WarnContext(ctx, "an email about an account is given up", "kind", e.Kind, "attempt", e.Attempt, "error", err)
		return u.Emails.Done(ctx, e)
	}
	u.Log.WarnContext(ctx, "an email about an account is not sent yet", "kind", e.Kind, "attempt", e.Attempt, "again_after", wait, "error", err)
	return u.Emails.Retry(ctx, e, wait)
}

func (u SendAccountEmails) send(ctx context.Context, e domain.AccountEmail) error {
	facts, to := domain.EmailFacts{Address: e.Address, At: e.CreatedAt}, e.Address
	var err error
	switch e.Kind {
	case domain.EmailPasswordReset:
		facts.Link, facts.Until, to, err = u.resetLink(ctx, e)
	case domain.EmailVerification:
		facts, to, err = u.verificationLink(ctx, e)
		if err == nil {
			e.Kind, err = u.inUse(ctx, e, to)
		}
	case domain.EmailNewDevice:
		facts.Device, to, err = u.newDevice(ctx, e)
	case domain.EmailChangeFrom:
		facts, err = u.changeLink(ctx, e, domain.LeavesEmail)
	case domain.EmailChangeTo:
		facts, err = u.changeLink(ctx, e, domain.TakesEmail)
		if err == nil {
			e.Kind, err = u.inUse(ctx, e, e.Address)
		}
		if e.Kind == domain.EmailAddressInUse {
			facts = domain.EmailFacts{Address: e.Address} // the reader has nothing to do with the account
		}
	case domain.EmailChanged:
		facts.Other, err = u.addressOf(ctx, e)
	case domain.EmailPasswordChanged, domain.EmailInvitation, domain.EmailAddressInUse, domain.EmailFactorSet, domain.EmailFactorRemoved,
		domain.EmailRecoveryCodeUsed, domain.EmailRecoveryCodesRenewed, domain.EmailIdentityLinked: // they say what has happened
	}
	if err != nil {
		return err
	}
	message, err := u.Texts.Write(e.Kind, e.Language, to, facts)
	if err != nil {
		return err
	}
	return u.Mailer.Send(ctx, message)
}

// resetLink makes the link for whoever has the address. It counts the email at its first attempt.
func (u SendAccountEmails) resetLink(ctx context.Context, e domain.AccountEmail) (link string, until time.Time, to string, err error) {
	email, err := domain.GivenEmail(e.Address)
	if err != nil {
		return "", until, "", errNoEmail
	}
	login, err := u.Users.FindLogin(ctx, email, uuid.Nil)
	if err != nil {
		return "", until, "", err
	}
	if login == nil || u.VerifiedOnly && !login.Verified {
		return "", until, "", errNoEmail
	}
	err = u.Transactions.As(ctx, uuid.Nil, login.UserID, func(ctx context.Context) error {
		user, err := u.admitted(ctx, e)
		if err != nil {
			return err
		}
		l, token := domain.NewResetLink(user.ID, user.Email, u.Now())
		link, until, to = ResetURL(u.PublicURL, token), l.ExpiresAt, user.Email
		return u.Links.Replace(ctx, l)
	})
	return link, until, to, err
}

// verificationLink makes the link and the code for the address of a user who has not proved it yet, together with its account. The
// email says when the account was made, with which workspace, and on which device it was asked for.
func (u SendAccountEmails) verificationLink(ctx context.Context, e domain.AccountEmail) (facts domain.EmailFacts, to string, err error) {
	facts = domain.EmailFacts{Address: e.Address, At: e.CreatedAt}
	if e.Device != nil { // the release before has queued none
		facts.Device = *e.Device
	}
	err = u.Transactions.As(ctx, uuid.Nil, e.UserID, func(ctx context.Context) error {
		user, err := u.admitted(ctx, e)
		if err != nil {
			return err
		}
		if user.Proof() == domain.AccountProof {
			return errNoEmail
		}
		profile, err := u.Users.Profile(ctx)
		if err != nil {
			return err
		}
		if len(profile.Memberships) > 0 {
			facts.Workspace = profile.Memberships[0].Name
		}
		facts.Made = user.CreatedAt
		l, token, digits := domain.NewVerificationLink(u.CodeKey, user.ID, user.Email, u.Now())
		facts.Link, facts.Code, facts.Until, to = pageURL(u.PublicURL, pageOfVerification, token), digits, l.ExpiresAt, user.Email
		return u.Links.Replace(ctx, l)
	})
	return facts, to, err
}

// newDevice returns the device that somebody has signed in on, and the address that the user has now.
func (u SendAccountEmails) newDevice(ctx context.Context, e domain.AccountEmail) (device domain.SeenDevice, to string, err error) {
	if e.Device == nil { // the release before has queued nothing of this kind
		return device, "", errNoEmail
	}
	err = u.Transactions.As(ctx, uuid.Nil, e.UserID, func(ctx context.Context) error {
		user, err := u.admitted(ctx, e)
		to = user.Email
		return err
	})
	return *e.Device, to, err
}

// inUse returns what an email says that would prove an address: where another account has proved it, its owner learns of the
// attempt and gets no link. The link that nobody is sent stays, so that a try of its code has the same answer.
func (u SendAccountEmails) inUse(ctx context.Context, e domain.AccountEmail, address string) (domain.EmailKind, error) {
	email, err := domain.GivenEmail(address)
	if err != nil {
		return "", errNoEmail
	}
	login, err := u.Users.FindLogin(ctx, email, uuid.Nil)
	if err == nil && login != nil && login.Verified && login.UserID != e.UserID {
		return domain.EmailAddressInUse, nil
	}
	return e.Kind, err
}

// changeLink makes one of the two links of a change of the address, if that waits. Emails to the former address are counted when
// the change is asked for.
func (u SendAccountEmails) changeLink(ctx context.Context, e domain.AccountEmail, purpose domain.LinkPurpose) (facts domain.EmailFacts, err error) {
	email, err := domain.GivenEmail(e.Address)
	if err != nil {
		return facts, errNoEmail
	}
	err = u.Transactions.As(ctx, uuid.Nil, e.UserID, func(ctx context.Context) error {
		user, err := u.Accounts.User(ctx)
		if errors.Is(err, ports.ErrNoUser) || err == nil && user.DisabledAt != nil {
			return errNoEmail
		}
		if err != nil {
			return err
		}
		if purpose == domain.TakesEmail && e.Attempt == 1 {
			may, err := u.Limits.CountAccountEmail(ctx, e.Kind, email, domain.EmailAsker{})
			if err != nil {
				return err
			}
			if !may {
				return errNoEmail
			}
		}
		change, err := u.Changes.Pending(ctx, user.ID, u.Now())
		if err != nil {
			return orNoEmail(err)
		}
		l, token := domain.NewChangeLink(purpose, user.ID, e.Address, u.Now())
		until, err := u.Changes.Renew(ctx, l, u.Now())
		facts = domain.EmailFacts{Address: change.From, Other: change.To, Link: pageURL(u.PublicURL, pageOfChange, token), Until: until}
		return orNoEmail(err)
	})
	return facts, err
}

// orNoEmail returns errNoEmail for a link that is no longer wanted.
func orNoEmail(err error) error {
	if errors.Is(err, ports.ErrLinkNotFound) {
		return errNoEmail
	}
	return err
}

// addressOf returns the address that the account of an email has now.
func (u SendAccountEmails) addressOf(ctx context.Context, e domain.AccountEmail) (address string, err error) {
	err = u.Transactions.As(ctx, uuid.Nil, e.UserID, func(ctx context.Context) error {
		user, err := u.Accounts.User(ctx)
		address = user.Email
		if errors.Is(err, ports.ErrNoUser) {
			return errNoEmail
		}
		return err
	})
	return address, err
}

// admitted returns the user of the context if an email may be sent to it.
func (u SendAccountEmails) admitted(ctx context.Context, e domain.AccountEmail) (domain.User, error) {
	user, err := u.Accounts.User(ctx)
	if errors.Is(err, ports.ErrNoUser) {
		return user, errNoEmail
	}
	if err != nil {
		return user, err
	}
	email, err := domain.GivenEmail(user.Email)
	if err != nil || user.DisabledAt != nil {
		return user, errNoEmail
	}
	if e.Attempt > 1 {
		return user, nil
	}
	by, err := u.asker(ctx, e, user)
	if err != nil {
		return user, err
	}
	may, err := u.Limits.CountAccountEmail(ctx, e.Kind, email, by)
	if err == nil && !may {
		err = errNoEmail
	}
	return user, err
}

// asker returns who has asked for an email that anybody can ask for: others than the owner of the mailbox must not use up what may be
// sent to it. An account that has not proved its address knows no networks, as it may be a stranger's.
func (u SendAccountEmails) asker(ctx context.Context, e domain.AccountEmail, user domain.User) (by domain.EmailAsker, err error) {
	if e.Device == nil || e.Kind != domain.EmailPasswordReset && e.Kind != domain.EmailVerification {
		return by, nil
	}
	by.Network = e.Device.Network
	if by.Network != "" && user.Proof() != domain.NoProof {
		by.Known, err = u.Devices.KnowsNetwork(ctx, by.Network)
	}
	return by, err
}

// Pages that links open.
const (
	pageOfReset        = "reset-password"
	pageOfVerification = "verify-email"
	pageOfChange       = "change-email"
	pageOfSetUp        = "set-up"
)

// ResetURL returns the address of the page on which a token sets another password.
func ResetURL(publicURL, token string) string { return pageURL(publicURL, pageOfReset, token) }

func pageURL(publicURL, page, token string) string {
	return publicURL + "/account/" + page + "?token=" + url.QueryEscape(token)
}
