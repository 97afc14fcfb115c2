package ports

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/request/fail"
)

// MailLimits limits how many emails are sent. Each purpose has its own counters, so that no purpose uses up the limit
// of another.
type MailLimits interface {
	// CountInvitation counts an invitation of today, for the workspace and for the inviter, in the transaction of the
	// context; fail.ErrLimitReached where either has already made as many as daily allows. A daily limit of 0 is no
	// limit.
	CountInvitation(ctx context.Context, workspace, inviter uuid.UUID, daily int64) error
	// Announce reports whether an email about an invitation may be sent to an address, and counts the email in the
	// transaction of the context. It returns false while too many invitations to the address are open, or after it has
	// received too many emails today.
	Announce(ctx context.Context, email domain.Email) (bool, error)
	// CountAccountEmail counts an email of a kind to a mailbox; false where the mailbox has already received as many of
	// the kind today as it may, or as many as the asker may have sent to it.
	CountAccountEmail(ctx context.Context, kind domain.EmailKind, email domain.Email, by domain.EmailAsker) (bool, error)
}

// AccountEmails queues emails about accounts.
type AccountEmails interface {
	// Queue adds an email, in the transaction of the context or in one of its own.
	Queue(ctx context.Context, e domain.AccountEmail) error
	// Claim returns emails that are due. No other process claims them for a time that is long enough to send them.
	Claim(ctx context.Context, limit int) ([]domain.AccountEmail, error)
	// Done removes a claimed email.
	Done(ctx context.Context, e domain.AccountEmail) error
	// Retry lets a claimed email be claimed again after a time.
	Retry(ctx context.Context, e domain.AccountEmail, after time.Duration) error
}

// EmailTexts writes emails.
type EmailTexts interface {
	// Write returns an email in the best language for a reader who accepts a language (Accept-Language: RFC 9110,
	// 12.5.4).
	Write(kind domain.EmailKind, language, to string, facts domain.EmailFacts) (domain.EmailMessage, error)
}

// ErrLinkNotFound means that a link cannot be used. It does not tell why.
var ErrLinkNotFound = fail.New(fail.NotFound, "LINK_NOT_FOUND", "this link is unknown, was used, has expired, or a newer one was sent: ask for another")

// ErrWrongCode means that a code is not the one that was sent.
var ErrWrongCode = fail.New(fail.Invalid, "WRONG_CODE", "this is not the code of the last email: look again, or have another one sent")

// AccountLinks stores the links of emails to accounts, as hashes of their tokens.
type AccountLinks interface {
	// Replace stores a link of the user of the context. It is the only one of its purpose from then on.
	Replace(ctx context.Context, l domain.AccountLink) error
	// Find looks up a token by its hash, outside of any workspace and for any user; ErrLinkNotFound where it is not valid.
	Find(ctx context.Context, purpose domain.LinkPurpose, hash []byte, at time.Time) (domain.AccountLink, error)
	// Use uses up a link of the user of the context, and returns the address that it was sent to; ErrLinkNotFound where it
	// is no longer valid.
	Use(ctx context.Context, l domain.AccountLink, at time.Time) (address string, err error)
	// TryCode counts a try of the code of the user of the context, and returns the link for comparison; ErrLinkNotFound
	// where there is none, or its code was tried too often.
	TryCode(ctx context.Context, user uuid.UUID, purpose domain.LinkPurpose, at time.Time) (domain.AccountLink, error)
	// Void removes the links of the user of the context that set a password or change the address.
	Void(ctx context.Context, user uuid.UUID) error
}

// ErrTooManyChanges limits how often an account may ask for another address.
var ErrTooManyChanges = fail.New(fail.TooMany, "RATE_LIMIT_EXCEEDED", "this account has asked for another address five times today: try again tomorrow")

// AddressChanges changes the addresses of accounts, after links to the former and the new address were both used.
type AddressChanges interface {
	// Renew gives a link of the user of the context that waits to be used another token; ErrLinkNotFound where there is none
	// of its purpose and address.
	Renew(ctx context.Context, l domain.AccountLink, at time.Time) (until time.Time, err error)
	// Pending returns the two addresses of the change that waits for the user of the context; ErrLinkNotFound where none does.
	Pending(ctx context.Context, user uuid.UUID, at time.Time) (domain.AddressChange, error)
	// Agree uses one of the two links of the user of the context, which came with a proof; ErrLinkNotFound where it is not valid.
	Agree(ctx context.Context, l domain.AccountLink, proof domain.Proof, at time.Time) (domain.AddressChange, error)
	// Apply changes the address, which counts as proved, and removes both links. ErrAddressProved where another account has
	// proved the new address; ErrLinkNotFound where the account has another address than the former by now.
	Apply(ctx context.Context, user uuid.UUID, c domain.AddressChange, at time.Time) error
}

// SetUp makes sure that the first account is made once.
type SetUp interface {
	// Begin reports whether there is no account. Another call waits until the transaction of the context ends.
	Begin(ctx context.Context) (bool, error)
}

// Outbox sends emails after the commit of the change that they belong to.
type Outbox interface {
	// Post queues an email in the transaction of the context. It is stored encrypted.
	Post(ctx context.Context, l domain.EmailMessage) error
}

// Mailer sends emails.
type Mailer interface {
	// Send sends an email at once. A failure that a retry cannot fix is ErrUndeliverable.
	Send(ctx context.Context, l domain.EmailMessage) error
}

// ErrUndeliverable means that an email will never be delivered.
var ErrUndeliverable = errors.New("the email cannot be delivered")
