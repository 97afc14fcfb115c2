package usecases

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
)

// FactorCheck verifies codes of second factors, and limits how often they may be guessed: by account, from wherever, and
// apart from that for each device that has logged in to it before.
type FactorCheck struct {
	Factors      ports.Factors
	Recovery     ports.RecoveryCodes
	Codes        ports.OneTimeCodes
	Attempts     ports.Attempts
	Transactions ports.Transactions
	Now          func() time.Time
}

// CodeUse is a code that was right and has to be used up by Use.
type CodeUse struct {
	Method        domain.Method
	attempt       domain.Attempt
	authenticator uuid.UUID
	step          int64
	recoveryHash  []byte
}

// Given is a code that somebody sends for an account.
type Given struct {
	UserID  uuid.UUID
	Code    string
	Trusted string     // a device or session that the account knows; "" for none
	IP      netip.Addr // of a log-in, whose network the account knows from then on; invalid for none
}

// Verify compares a code: that of the authenticator, or a recovery code. try runs in the transaction that counts the try,
// before the code is compared; nil for nothing. ErrWrongFactor for a wrong code, ErrFactorLocked after too many, and
// ErrTooManyAttempts while the origin has to wait.
func (c FactorCheck) Verify(ctx context.Context, g Given, try func(ctx context.Context) error) (CodeUse, error) {
	origin := domain.Origin{Account: "second factor of " + g.UserID.String(), IP: g.IP, Trusted: g.Trusted}
	if origin.Trusted == "" {
		origin.Trusted = "anybody" // one counter for all networks: an attacker may have many
	}
	attempt, err := c.Attempts.Begin(ctx, g.UserID, origin)
	if err != nil {
		return CodeUse{}, err
	}
	use := CodeUse{attempt: attempt, Method: domain.MethodRecoveryCode}
	var authenticator domain.Authenticator
	right := false
	err = c.Transactions.As(ctx, uuid.Nil, g.UserID, func(ctx context.Context) (err error) {
		if try != nil {
			if err := try(ctx); err != nil {
				return err
			}
		}
		if domain.IsTOTP(g.Code) {
			use.Method = domain.MethodTOTP
			authenticator, err = c.Factors.TryTOTP(ctx)
			return err
		}
		use.recoveryHash = domain.HashOfRecoveryCode(g.UserID, g.Code)
		right, err = c.Recovery.Has(ctx, use.recoveryHash)
		return err
	})
	if err != nil {
		return CodeUse{}, err
	}
	if use.Method == domain.MethodTOTP {
		use.authenticator = authenticator.ID
		use.step, right = c.Codes.Step(authenticator.Secret, g.Code, authenticator.LastStep, c.Now())
	}
	if !right {
		return CodeUse{}, c.fail(ctx, use)
	}
	return use, nil
}

// Use uses up a code in the transaction of the context, which must be that of its user. ErrWrongFactor where it was used
// meanwhile; the transaction must not continue after that.
func (c FactorCheck) Use(ctx context.Context, use CodeUse) error {
	var err error
	if use.Method == domain.MethodTOTP {
		err = c.Factors.AcceptStep(ctx, use.authenticator, use.step)
	} else {
		err = c.Recovery.Use(ctx, use.recoveryHash)
	}
	if err != nil {
		return err
	}
	return c.Attempts.Pass(ctx, use.attempt)
}

// Counted counts a code that turned out to be used up as a wrong one, and returns the error of the call.
func (c FactorCheck) Counted(ctx context.Context, use CodeUse, err error) error {
	if !errors.Is(err, ports.ErrWrongFactor) {
		return err
	}
	return c.fail(ctx, use)
}

func (c FactorCheck) fail(ctx context.Context, use CodeUse) error {
	if err := c.Attempts.Fail(ctx, use.attempt); err != nil {
		return err
	}
	return ports.ErrWrongFactor
}
