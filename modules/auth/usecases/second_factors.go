package usecases

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// AccountNotices queues the emails that say what has happened to an account, to its address.
type AccountNotices struct{ Emails ports.AccountEmails }

// Send queues an email of a kind in the transaction of the context. The language is an Accept-Language.
func (n AccountNotices) Send(ctx context.Context, kind domain.EmailKind, user uuid.UUID, address, language string) error {
	return n.Emails.Queue(ctx, domain.AccountEmail{
		ID: uuid.Must(uuid.NewV7()), Kind: kind, UserID: user, Address: address, Language: language, TraceID: callctx.From(ctx).TraceID,
	})
}

// Used queues a notice if a recovery code was used.
func (n AccountNotices) Used(ctx context.Context, user uuid.UUID, address, language string, method domain.Method) error {
	if method != domain.MethodRecoveryCode {
		return nil
	}
	return n.Send(ctx, domain.EmailRecoveryCodeUsed, user, address, language)
}

// SecondFactors sets and removes the second factor of a signed-in user. Its methods but Describe run in the transaction of
// the context, which must be that of the workspace of the session.
type SecondFactors struct {
	Authenticators ports.Authenticators
	Factors        ports.Factors
	Recovery       ports.RecoveryCodes
	Codes          ports.OneTimeCodes
	Sessions       ports.Sessions
	Events         ports.AccountEvents
	Notices        AccountNotices
	Now            func() time.Time
}

// Description is the second factor of a user.
type Description struct {
	Authenticator *domain.Authenticator // nil: none
	RecoveryCodes int                   // that are left
}

// Describe returns the second factor of the caller.
func (u SecondFactors) Describe(ctx context.Context) (d Description, err error) {
	a, err := u.Authenticators.Find(ctx)
	if errors.Is(err, ports.ErrNoFactor) {
		return d, nil
	}
	if err != nil {
		return d, err
	}
	d.Authenticator = &a
	d.RecoveryCodes, err = u.Recovery.Count(ctx)
	return d, err
}

// Begin makes an authenticator that becomes a factor when it is confirmed, and returns its secret and otpauth URI. It
// replaces one that was not confirmed; ErrFactorExists where there is a factor. The session must be freshly authenticated, else
// fail.ErrReauthenticate: who has stolen an access token could lock the user out.
func (u SecondFactors) Begin(ctx context.Context, user, session uuid.UUID) (secret, uri string, err error) {
	account, err := u.Factors.LockAccount(ctx, user)
	if err != nil {
		return "", "", err
	}
	if account.SecondFactor {
		return "", "", ports.ErrFactorExists
	}
	locked, err := u.Sessions.Lock(ctx, session)
	if err != nil {
		return "", "", err
	}
	if !locked.Fresh(u.Now()) {
		return "", "", fail.ErrReauthenticate
	}
	if secret, uri, err = u.Codes.New(account.Email); err != nil {
		return "", "", err
	}
	if err := u.Authenticators.Replace(ctx, domain.NewAuthenticator(user, secret, u.Now())); err != nil {
		return "", "", err
	}
	return secret, uri, u.record(ctx, user, "second_factor.begin")
}

// Confirm makes the authenticator a factor, if a code of it is right, and returns recovery codes, which are shown this
// once. It ends all other sessions of the user, which were opened without the factor. ErrWrongTOTP for another code,
// ErrNoFactor where Begin was not called, ErrFactorExists where there is a factor already.
func (u SecondFactors) Confirm(ctx context.Context, user, session uuid.UUID, code, language string) (codes []string, err error) {
	account, err := u.Factors.LockAccount(ctx, user)
	if err != nil {
		return nil, err
	}
	if account.SecondFactor {
		return nil, ports.ErrFactorExists
	}
	a, err := u.Authenticators.Find(ctx)
	if err != nil {
		return nil, err
	}
	step, ok := u.Codes.Step(a.Secret, code, 0, u.Now())
	if !ok {
		return nil, ports.ErrWrongTOTP
	}
	if err := u.Authenticators.Confirm(ctx, a, step, u.Now()); err != nil {
		return nil, err
	}
	if _, err := u.Sessions.EndOthers(ctx, session); err != nil {
		return nil, err
	}
	// The code makes the session one with a second factor, beside how it was opened.
	err = authenticate(ctx, u.Sessions, user, session, u.Now(), func(before []domain.Method) []domain.Method {
		return append(slices.Clone(before), domain.MethodTOTP)
	})
	if err != nil {
		return nil, err
	}
	if err := u.Notices.Send(ctx, domain.EmailFactorSet, user, account.Email, language); err != nil {
		return nil, err
	}
	if err := u.record(ctx, user, "second_factor.set"); err != nil {
		return nil, err
	}
	return u.replaceCodes(ctx, user)
}

// Remove removes the second factor, its recovery codes and tickets of log-ins; ErrNoFactor where there is none.
func (u SecondFactors) Remove(ctx context.Context, user uuid.UUID, language string) error {
	account, err := u.Factors.LockAccount(ctx, user)
	if err != nil {
		return err
	}
	was, err := u.Authenticators.Remove(ctx)
	if err != nil || !was { // one that was not confirmed is removed without a word
		return err
	}
	if err := u.Notices.Send(ctx, domain.EmailFactorRemoved, user, account.Email, language); err != nil {
		return err
	}
	return u.record(ctx, user, "second_factor.remove")
}

// RenewCodes returns new recovery codes, which are shown this once, in place of the earlier ones; ErrNoFactor where there
// is no factor.
func (u SecondFactors) RenewCodes(ctx context.Context, user uuid.UUID, language string) ([]string, error) {
	account, err := u.Factors.LockAccount(ctx, user)
	if err != nil {
		return nil, err
	}
	if !account.SecondFactor {
		return nil, ports.ErrNoFactor
	}
	if err := u.Notices.Send(ctx, domain.EmailRecoveryCodesRenewed, user, account.Email, language); err != nil {
		return nil, err
	}
	if err := u.record(ctx, user, "second_factor.renew_codes"); err != nil {
		return nil, err
	}
	return u.replaceCodes(ctx, user)
}

func (u SecondFactors) replaceCodes(ctx context.Context, user uuid.UUID) ([]string, error) {
	codes := domain.NewRecoveryCodes()
	hashes := make([][]byte, len(codes))
	for i, code := range codes {
		hashes[i] = domain.HashOfRecoveryCode(user, code)
	}
	return codes, u.Recovery.Replace(ctx, hashes, u.Now())
}

// record notes an event of the account, beside the row in the audit log of the workspace in which the user is signed in.
func (u SecondFactors) record(ctx context.Context, user uuid.UUID, action string) error {
	return u.Events.Record(ctx, domain.AccountEvent{UserID: user, Action: action})
}
