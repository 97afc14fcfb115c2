package usecases_test

import (
	"context"
	"errors"
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
	known  string
	login  domain.Login
	begun  []string
	refuse error
	looked int
	hashed []string // what each verification was given
	rehash int
}

func (p *people) FindLogin(_ context.Context, email domain.Email, _ uuid.UUID) (*domain.Login, error) {
	p.looked++
	if email.String() != p.known {
		return nil, nil //nolint:nilnil // as the port says
	}
	return &p.login, nil
}

func (p *people) Begin(_ context.Context, target string) error {
	p.begun = append(p.begun, target)
	return p.refuse
}

func (p *people) Succeeded(context.Context, string) error { return nil }

func (p *people) Verify(_ context.Context, password, hash string) (bool, error) {
	p.hashed = append(p.hashed, hash)
	return hash == "hash of "+password, nil
}

func (p *people) Hash(context.Context, domain.Password) (string, error) {
	p.rehash++
	return "new", nil
}
func (p *people) Outdated(string) bool { return false }

func TestAnUnknownAddressCostsTheSameWorkAsAWrongPassword(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		email, verified string
		counted         bool
	}{
		"known":     {"ada@example.com", "hash of right", true},
		"unknown":   {"eve@example.com", "", true},
		"malformed": {"no address", "", false},
	} {
		p := &people{known: "ada@example.com", login: domain.Login{UserID: uuid.New(), PasswordHash: "hash of right"}}
		_, err := usecases.LogIn{Users: p, Attempts: p, Passwords: p}.Do(t.Context(), usecases.Credentials{Email: test.email, Password: "wrong"})
		require.ErrorIs(t, err, ports.ErrInvalidCredentials, name)
		require.Equal(t, []string{test.verified}, p.hashed, "%s: one verification, no more and no less", name)
		require.Zero(t, p.rehash, name)
		require.Equal(t, test.counted, len(p.begun) == 1, name)
	}
}

func TestABlockedAddressIsNotEvenLookedAt(t *testing.T) {
	t.Parallel()
	p := &people{refuse: ports.ErrTooManyAttempts}
	_, err := usecases.LogIn{Users: p, Attempts: p, Passwords: p}.Do(t.Context(), usecases.Credentials{Email: "ada@example.com", Password: "right"})
	require.ErrorIs(t, err, ports.ErrTooManyAttempts)
	require.Empty(t, p.hashed)
	require.Zero(t, p.looked)
	p.refuse = errors.New("the database is away")
	_, err = usecases.LogIn{Users: p, Attempts: p, Passwords: p}.Do(t.Context(), usecases.Credentials{Email: "ada@example.com", Password: "right"})
	require.ErrorIs(t, err, p.refuse, "what cannot be counted is not tried")
}
