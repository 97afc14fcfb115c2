package usecases_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
)

// people knows one address. The ports that it leaves nil are not to be called.
type people struct {
	ports.Users
	ports.Passwords
	ports.Devices
	known          string
	login          domain.Login
	origins        []domain.Origin
	failed, passed int
	refuse         error // the answer of Begin
	meanwhile      error // the answer of Fail and Pass
	hashed         []string
	rehash         int
}

func (p *people) FindLogin(_ context.Context, email domain.Email, _ uuid.UUID) (*domain.Login, error) {
	if email.String() != p.known {
		return nil, nil //nolint:nilnil // as the port says
	}
	return &p.login, nil
}

func (p *people) Begin(_ context.Context, _ uuid.UUID, origin domain.Origin) (domain.Attempt, error) {
	p.origins = append(p.origins, origin)
	return origin.Unknown(), p.refuse
}

func (p *people) Fail(context.Context, domain.Attempt) error {
	p.failed++
	return p.meanwhile
}

func (p *people) Pass(context.Context, domain.Attempt) error {
	p.passed++
	return p.meanwhile
}

func (p *people) Trusted(token string, _ uuid.UUID, _ string) string { return token }

func (p *people) Verify(_ context.Context, password, hash string) (bool, error) {
	p.hashed = append(p.hashed, hash)
	return hash == "hash of "+password, nil
}

func (p *people) Hash(context.Context, domain.Password) (string, error) {
	p.rehash++
	return "new", nil
}
func (p *people) Outdated(string) bool { return false }

func (p *people) logIn(ctx context.Context, in usecases.Credentials) error {
	check := usecases.PasswordCheck{Attempts: p, Devices: p, Passwords: p}
	_, err := usecases.LogIn{Users: p, Check: check, Events: unrecorded{}}.Do(ctx, in)
	return err
}

type unrecorded struct{}

func (unrecorded) Record(context.Context, domain.AccountEvent) error { return nil }

func TestAnUnknownAddressCostsTheSameWorkAsAWrongPassword(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		email, verified string
		counted         int
	}{
		"known":     {"ada@example.com", "hash of right", 1},
		"unknown":   {"eve@example.com", "", 1},
		"malformed": {"no address", "", 0},
	} {
		p := &people{known: "ada@example.com", login: domain.Login{UserID: uuid.New(), PasswordHash: "hash of right"}}
		err := p.logIn(t.Context(), usecases.Credentials{Email: test.email, Password: "wrong"})
		require.ErrorIs(t, err, ports.ErrInvalidCredentials, name)
		require.Equal(t, []string{test.verified}, p.hashed, "%s: one verification, no more and no less", name)
		require.Zero(t, p.rehash, name)
		require.Len(t, p.origins, test.counted, name)
		require.Equal(t, test.counted, p.failed, name)
	}
}

func TestAPasswordIsNotTriedWhileItsOriginHasToWait(t *testing.T) {
	t.Parallel()
	p := &people{refuse: ports.ErrTooManyAttempts}
	require.ErrorIs(t, p.logIn(t.Context(), usecases.Credentials{Email: "ada@example.com", Password: "right"}), ports.ErrTooManyAttempts)
	require.Empty(t, p.hashed)
	p.refuse = errors.New("the database is away")
	require.ErrorIs(t, p.logIn(t.Context(), usecases.Credentials{Email: "ada@example.com", Password: "right"}), p.refuse, "what cannot be limited is not tried")
	require.Empty(t, p.hashed)
}

// Of guesses at the same time those that end after the origin was blocked say nothing, whether they are right or wrong.
func TestARightPasswordIsNotTellingWhileItsOriginWasBlocked(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"right", "wrong"} {
		p := &people{
			known: "ada@example.com", meanwhile: ports.ErrTooManyAttempts,
			login: domain.Login{UserID: uuid.New(), PasswordHash: "hash of right"}, // of somebody in another workspace, which is another answer
		}
		err := p.logIn(t.Context(), usecases.Credentials{Email: "ada@example.com", Password: word, Workspace: uuid.New()})
		require.Equal(t, ports.ErrTooManyAttempts, err, word)
		require.Equal(t, 1, p.failed+p.passed, word)
	}
}

func TestADeviceTokenIsTakenToWhereItBelongs(t *testing.T) {
	t.Parallel()
	p := &people{known: "ada@example.com", login: domain.Login{UserID: uuid.New(), PasswordHash: "hash of right"}}
	ip := netip.MustParseAddr("192.0.2.1")
	require.Error(t, p.logIn(t.Context(), usecases.Credentials{
		Email: "Ada@Example.com", Password: "wrong", DeviceToken: "device 7", Client: domain.Client{IP: ip},
	}))
	require.Equal(t, []domain.Origin{{Account: "ada@example.com", IP: ip, Trusted: "device 7"}}, p.origins)
}
