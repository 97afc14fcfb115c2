package usecases

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// ChangeEmail changes the address of an account after links to the former and the new address were both used.
type ChangeEmail struct {
	Accounts     ports.Accounts
	Check        PasswordCheck
	Account      AccountCheck
	Emails       ports.AccountEmails
	Links        ports.AccountLinks
	Changes      ports.AddressChanges
	Limits       ports.MailLimits
	Sessions     ports.Sessions
	Events       ports.AccountEvents
	Transactions ports.Transactions
	Now          func() time.Time
}

// NewAddress is an address that an account may ask for: the caller has given the password.
type NewAddress struct {
	attempt  domain.Attempt
	from, to domain.Email
}

// Prepare does the slow part outside of a transaction: it verifies the password. It looks at nobody else's address.
func (u ChangeEmail) Prepare(ctx context.Context, user uuid.UUID, address, password string) (NewAddress, error) {
	to, err := domain.NewEmail(address)
	if err != nil {
		return NewAddress{}, fail.Fields(fail.Field{Field: "email", Code: "INVALID", Message: err.Error()})
	}
	account, err := u.Accounts.Current(ctx)
	if err != nil {
		return NewAddress{}, err
	}
	if account.PasswordHash == "" {
		return NewAddress{}, ports.ErrNoPassword
	}
	from, err := domain.GivenEmail(account.Email)
	if err != nil {
		return NewAddress{}, err
	}
	attempt, err := u.Check.VerifyOwn(ctx, &domain.Login{UserID: user, PasswordHash: account.PasswordHash}, password)
	if err != nil {
		return NewAddress{}, err
	}
	if to.String() == account.Email {
		return NewAddress{}, fail.Fields(fail.Field{Field: "email", Code: "INVALID", Message: "must be another address than the account has"})
	}
	return NewAddress{attempt, from, to}, nil
}

// Do queues the emails with the links, in the transaction of the context. They replace those of an earlier change.
// ErrTooManyChanges where the account has asked too often today. The result is the same whoever has the new address.
func (u ChangeEmail) Do(ctx context.Context, user uuid.UUID, a NewAddress, language string) error {
	if err := u.Check.Attempts.Pass(ctx, a.attempt); err != nil {
		return err
	}
	may, err := u.Limits.CountAccountEmail(ctx, domain.EmailChangeFrom, a.from, domain.EmailAsker{})
	if err != nil {
		return err
	}
	if !may {
		now := u.Now().UTC()
		return ports.ErrTooManyChanges.After(now.Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(now))
	}
	for kind, of := range map[domain.EmailKind]struct {
		purpose domain.LinkPurpose
		address domain.Email
	}{domain.EmailChangeFrom: {domain.LeavesEmail, a.from}, domain.EmailChangeTo: {domain.TakesEmail, a.to}} {
		link, _ := domain.NewChangeLink(of.purpose, user, of.address.String(), u.Now()) // its token is made when the email is sent
		if err := u.Links.Replace(ctx, link); err != nil {
			return err
		}
		if err := u.Emails.Queue(ctx, accountEmail(ctx, kind, user, of.address.String(), language)); err != nil {
			return err
		}
	}
	return nil
}

// Confirm uses one of the two links. When both were used, the account has the new address, its sessions end, and the former
// address gets a notice; changed reports that. ErrLinkNotFound where the link cannot be used, also for an account that is
// disabled; ErrAddressProved where another account has proved the new address; the errors of AccountCheck as for
// VerifyEmail.ByLink. The new address is proved by its link alone, unless that comes together with the account.
func (u ChangeEmail) Confirm(ctx context.Context, token, language string, b Bearer) (changed bool, err error) {
	link, err := u.find(ctx, domain.HashOf(token))
	if err != nil {
		return false, err
	}
	checked, err := u.Account.Prepare(ctx, link, b)
	if err != nil {
		return false, err
	}
	err = u.Transactions.As(ctx, uuid.Nil, link.UserID, func(ctx context.Context) error {
		change, err := u.Changes.Agree(ctx, link, checked.Proof, u.Now())
		if err != nil {
			return err
		}
		if err := u.Account.Do(ctx, link.UserID, checked); err != nil {
			return err
		}
		user, err := u.Accounts.User(ctx)
		if errors.Is(err, ports.ErrNoUser) || err == nil && (user.DisabledAt != nil || user.Email != change.From) {
			return ports.ErrLinkNotFound
		}
		if err != nil {
			return err
		}
		if !change.Agreed {
			return u.Events.Record(ctx, domain.AccountEvent{UserID: user.ID, Action: "email.agree_to_change"})
		}
		changed = true
		return u.apply(ctx, user.ID, change, language)
	})
	return changed && err == nil, err
}

// find looks a token up, whichever of the two links it is of.
func (u ChangeEmail) find(ctx context.Context, hash []byte) (domain.AccountLink, error) {
	link, err := u.Links.Find(ctx, domain.LeavesEmail, hash, u.Now())
	if errors.Is(err, ports.ErrLinkNotFound) {
		return u.Links.Find(ctx, domain.TakesEmail, hash, u.Now())
	}
	return link, err
}

func (u ChangeEmail) apply(ctx context.Context, user uuid.UUID, change domain.AddressChange, language string) error {
	if err := u.Changes.Apply(ctx, user, change, u.Now()); err != nil {
		return err
	}
	if _, err := u.Sessions.EndOthers(ctx, uuid.Nil); err != nil {
		return err
	}
	if err := u.Emails.Queue(ctx, accountEmail(ctx, domain.EmailChanged, user, change.From, language)); err != nil {
		return err
	}
	return u.Events.Record(ctx, domain.AccountEvent{UserID: user, Action: "email.change"})
}

// accountEmail is an email to an address that has to do with an account.
func accountEmail(ctx context.Context, kind domain.EmailKind, user uuid.UUID, address, language string) domain.AccountEmail {
	return domain.AccountEmail{
		ID: uuid.Must(uuid.NewV7()), Kind: kind, UserID: user, Address: address, Language: language, TraceID: callctx.From(ctx).TraceID,
	}
}
