package usecases

import (
	"context"
	"errors"
	"time"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/fail"
)

// BeginSignIn sends a browser to an identity provider.
type BeginSignIn struct {
	Providers ports.IdentityProviders
	Seals     ports.SignInSeals
	Origins   []string // that a sign-in may lead back to
	Now       func() time.Time
}

// Do begins a sign-in and returns the address of the provider, and what the browser has to keep until it comes back.
func (u BeginSignIn) Do(ctx context.Context, provider, returnTo, challenge string) (address, kept string, err error) {
	if err := domain.CheckReturnTo(returnTo, u.Origins); err != nil {
		return "", "", fail.Fields(fail.Field{Field: "return_to", Code: "INVALID", Message: err.Error()})
	}
	signIn := domain.NewSignIn(provider, returnTo, challenge, u.Now())
	if address, err = u.Providers.Authorize(ctx, signIn); err != nil {
		return "", "", err
	}
	kept, err = u.Seals.Seal(signIn)
	return address, kept, err
}

// FinishSignIn takes the answer of an identity provider, which a browser brings.
type FinishSignIn struct {
	Providers ports.IdentityProviders
	Seals     ports.SignInSeals
	SignIns   ports.SignIns
	Origins   []string
	Report    func(ctx context.Context, provider string, err error) // of answers that failed, for the operator
	Now       func() time.Time
}

// ProviderAnswer is what a browser brings from an identity provider.
type ProviderAnswer struct {
	Provider, State, Code string
	Issuer                string   // RFC 9207; "" for none
	Refusal               string   // the error of the provider (RFC 6749, 4.1.2.1); "" for none
	Kept                  []string // what the browser has kept, of all sign-ins
}

// Do checks an answer and returns where the browser goes: back to the application, with a code or with the code of an error.
// ErrSignInState where the browser has not begun the sign-in, or it was finished before: then it goes nowhere.
func (u FinishSignIn) Do(ctx context.Context, in ProviderAnswer) (address string, err error) {
	signIn, ok := u.begun(in)
	if !ok {
		return "", ports.ErrSignInState
	}
	if err := u.SignIns.Claim(ctx, signIn.State, signIn.ExpiresAt); err != nil {
		return "", err
	}
	code, err := u.finish(ctx, signIn, in)
	if err == nil {
		return domain.ReturnWith(signIn.ReturnTo, "code", code), nil
	}
	for _, known := range []*fail.Error{ports.ErrSignInRefused, ports.ErrSignInFailed, ports.ErrProviderUnavailable, ports.ErrNoProvider} {
		if errors.Is(err, known) {
			u.Report(ctx, in.Provider, err)
			return domain.ReturnWith(signIn.ReturnTo, "error", known.Code), nil
		}
	}
	return "", err
}

// begun returns the sign-in that this browser has begun and that an answer is for.
func (u FinishSignIn) begun(in ProviderAnswer) (domain.SignIn, bool) {
	for _, kept := range in.Kept {
		signIn, ok := u.Seals.Open(kept)
		if ok && signIn.IsOf(in.Provider, in.State, u.Now()) && domain.CheckReturnTo(signIn.ReturnTo, u.Origins) == nil {
			return signIn, true
		}
	}
	return domain.SignIn{}, false
}

// finish has the provider's code redeemed and returns a code of ours.
func (u FinishSignIn) finish(ctx context.Context, signIn domain.SignIn, in ProviderAnswer) (string, error) {
	if in.Refusal != "" {
		return "", ports.ErrSignInRefused.Because(errors.New("the provider says: " + in.Refusal))
	}
	if in.Code == "" {
		return "", ports.ErrSignInFailed.Because(errors.New("there is no code in the answer"))
	}
	assertion, err := u.Providers.Redeem(ctx, signIn, in.Code, in.Issuer)
	if err != nil {
		return "", err
	}
	done, code := signIn.Finish(assertion, u.Now())
	return code, u.SignIns.Finish(ctx, signIn.State, done, domain.HashOf(code))
}
