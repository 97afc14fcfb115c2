package usecases

import (
	"context"
	"crypto/hmac"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/callctx"
)

// VerifyEmail proves that users own their addresses, by the link or the code of an email.
type VerifyEmail struct {
	Emails       ports.AccountEmails
	Links        ports.AccountLinks
	Accounts     ports.Accounts
	Events       ports.AccountEvents
	Transactions ports.Transactions
	Account      AccountCheck
	CodeKey      []byte // for the hashes of codes
	Off          bool   // nobody is asked to
	Now          func() time.Time
}

// Ask queues the email with link and code for a user, in the transaction of the context. It replaces earlier ones, and says from
// which client it was asked for.
func (u VerifyEmail) Ask(ctx context.Context, user uuid.UUID, address, language string, client domain.Client) error {
	if u.Off {
		return nil
	}
	return u.Emails.Queue(ctx, domain.AccountEmail{
		ID: uuid.Must(uuid.NewV7()), Kind: domain.EmailVerification, UserID: user, Address: address, Language: language,
		TraceID: callctx.From(ctx).TraceID, Device: client.Seen(),
	})
}

// AskAgain queues the email for the caller, unless its address is proved, and not by a link alone.
func (u VerifyEmail) AskAgain(ctx context.Context, user uuid.UUID, language string, client domain.Client) error {
	return u.Transactions.As(ctx, uuid.Nil, user, func(ctx context.Context) error {
		account, err := u.Accounts.User(ctx)
		if err != nil || account.Proof() == domain.AccountProof {
			return err
		}
		return u.Ask(ctx, user, account.Email, language, client)
	})
}

// ByLink proves the address that a link was sent to, by the link alone or together with its account. ErrLinkNotFound where the link
// cannot be used; the errors of AccountCheck where what comes with it is of another account, and then the link is not used.
func (u VerifyEmail) ByLink(ctx context.Context, token string, b Bearer) error {
	link, err := u.Links.Find(ctx, domain.VerifiesEmail, domain.HashOf(token), u.Now())
	if err != nil {
		return err
	}
	checked, err := u.Account.Prepare(ctx, link, b)
	if err != nil {
		return err
	}
	return u.verify(ctx, link, checked)
}

// ByCode proves the address of the caller. ErrWrongCode for another code than the last email had; ErrLinkNotFound where
// that is no longer valid, or was tried too often.
func (u VerifyEmail) ByCode(ctx context.Context, user uuid.UUID, code string) error {
	var link domain.AccountLink
	err := u.Transactions.As(ctx, uuid.Nil, user, func(ctx context.Context) (err error) {
		link, err = u.Links.TryCode(ctx, user, domain.VerifiesEmail, u.Now())
		return err
	})
	if err != nil {
		return err
	}
	if !hmac.Equal(link.CodeHash, domain.HashOfCode(u.CodeKey, user, code)) {
		return ports.ErrWrongCode
	}
	return u.verify(ctx, link, CheckedBearer{Proof: domain.AccountProof})
}

// verify uses up a link, and notes that its address is proved if it still is that of the account.
func (u VerifyEmail) verify(ctx context.Context, link domain.AccountLink, by CheckedBearer) error {
	return u.Transactions.As(ctx, uuid.Nil, link.UserID, func(ctx context.Context) error {
		address, err := u.Links.Use(ctx, link, u.Now())
		if err != nil {
			return err
		}
		if err := u.Account.Do(ctx, link.UserID, by); err != nil {
			return err
		}
		if err := u.Accounts.VerifyAddress(ctx, link.UserID, address, by.Proof, u.Now()); err != nil {
			return err
		}
		return u.Events.Record(ctx, domain.AccountEvent{UserID: link.UserID, Action: "email.verify"})
	})
}
