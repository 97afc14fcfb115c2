package usecases

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/fail"
)

// Reauthenticate has a signed-in user prove again who it is, for calls that need that to be recent.
type Reauthenticate struct {
	Accounts ports.Accounts
	Check    PasswordCheck
	Factor   FactorCheck
	Notices  AccountNotices
	Sessions ports.Sessions
	Now      func() time.Time
}

// Reauthentication is a proof that was verified and has to be used up by Do.
type Reauthentication struct {
	user    uuid.UUID
	account domain.Account
	attempt domain.Attempt
	code    *CodeUse // nil: the user has no second factor
}

// Prepare does the slow part outside of a transaction: it verifies the password and, for a user who has a second factor,
// the code. A wrong password is ErrInvalidCredentials, a wrong code ErrWrongFactor, whichever comes first.
func (u Reauthenticate) Prepare(ctx context.Context, user uuid.UUID, password, code string) (Reauthentication, error) {
	r := Reauthentication{user: user}
	factor := false
	err := u.Factor.Transactions.As(ctx, uuid.Nil, user, func(ctx context.Context) error {
		locked, err := u.Factor.Factors.LockAccount(ctx, user)
		r.account, factor = domain.Account{Email: locked.Email, PasswordHash: locked.PasswordHash}, locked.SecondFactor
		return err
	})
	if errors.Is(err, ports.ErrNoUser) {
		return r, fail.ErrUnauthorized
	}
	if err != nil {
		return r, err
	}
	if r.account.PasswordHash == "" {
		return r, ports.ErrNoPassword
	}
	if factor && code == "" {
		return r, fail.Fields(fail.Field{Field: "code", Code: "REQUIRED", Message: "must be a code of the authenticator, or a recovery code"})
	}
	if r.attempt, err = u.Check.VerifyOwn(ctx, &domain.Login{UserID: user, PasswordHash: r.account.PasswordHash}, password); err != nil {
		return r, err
	}
	if !factor {
		return r, nil
	}
	use, err := u.Factor.Verify(ctx, Given{UserID: user, Code: code, Trusted: "sessions"}, nil)
	r.code = &use
	return r, err
}

// Do notes that the user of a session has proved who it is, in the transaction of the context, which must be that of the
// workspace of the session.
func (u Reauthenticate) Do(ctx context.Context, session uuid.UUID, r Reauthentication, language string) error {
	if err := u.Accounts.ReplacePassword(ctx, r.user, r.account.PasswordHash, r.account.PasswordHash); err != nil {
		return err
	}
	if err := u.Check.Attempts.Pass(ctx, r.attempt); err != nil {
		return err
	}
	methods := []domain.Method{domain.MethodPassword}
	if r.code != nil {
		if err := u.Factor.Use(ctx, *r.code); err != nil {
			return err
		}
		if err := u.Notices.Used(ctx, r.user, r.account.Email, language, r.code.Method); err != nil {
			return err
		}
		methods = append(methods, r.code.Method)
	}
	return authenticate(ctx, u.Sessions, r.user, session, u.Now(), func([]domain.Method) []domain.Method { return methods })
}

// Counted counts a code that turned out to be used up as a wrong one, and returns the error of the call.
func (u Reauthenticate) Counted(ctx context.Context, r Reauthentication, err error) error {
	if r.code == nil {
		return err
	}
	return u.Factor.Counted(ctx, *r.code, err)
}

// authenticate notes in a session of the context when and how its user has proved who it is; methods gets how that was before.
func authenticate(ctx context.Context, sessions ports.Sessions, user, id uuid.UUID, now time.Time, methods func([]domain.Method) []domain.Method) error {
	session, err := sessions.Lock(ctx, id)
	if errors.Is(err, ports.ErrBadRefreshToken) || err == nil && (session.UserID != user || !session.Alive(now)) {
		return fail.ErrUnauthorized
	}
	if err != nil {
		return err
	}
	session.Authenticate(methods(session.Methods), now)
	return sessions.Save(ctx, session)
}
