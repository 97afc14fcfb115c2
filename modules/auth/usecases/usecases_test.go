package usecases_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/request/fail"
)

// world is all that the use cases need from outside, with one user in it or none.
type world struct {
	ports.Users
	ports.Sessions
	login    *domain.Login
	verified []string // the hashes that passwords were held to
	opened   []string // the actions that were audited
	attempts int      // guesses that were counted
	changed  bool     // somebody else has changed the password
}

func (w *world) Register(context.Context, domain.Registration) error {
	if w.login != nil {
		return ports.ErrEmailExists
	}
	return nil
}
func (w *world) FindLogin(context.Context, domain.Email, uuid.UUID) (*domain.Login, error) {
	return w.login, nil
}
func (w *world) Profile(context.Context) (domain.Profile, error) { return domain.Profile{}, nil }
func (w *world) Hash(_ context.Context, p domain.Password) (string, error) {
	return "hash of " + p.Reveal(), nil
}
func (w *world) Verify(_ context.Context, password, hash string) (bool, error) {
	w.verified = append(w.verified, hash)
	return hash == "hash of "+password, nil
}
func (w *world) Outdated(string) bool { return false }
func (w *world) Begin(context.Context, uuid.UUID, domain.Origin) (domain.Attempt, error) {
	return domain.Attempt{}, nil
}
func (w *world) Fail(context.Context, domain.Attempt) error {
	w.attempts++
	return nil
}
func (w *world) Pass(context.Context, domain.Attempt) error      { return nil }
func (w *world) Issue(uuid.UUID, string, string) string          { return "dev_1" }
func (w *world) Trusted(string, uuid.UUID, string) (name string) { return "" }
func (w *world) check() usecases.PasswordCheck {
	return usecases.PasswordCheck{Attempts: w, Devices: w, Passwords: w}
}
func (w *world) User(context.Context) (domain.User, error) { return domain.User{}, nil }
func (w *world) VerifyAddress(context.Context, uuid.UUID, string, domain.Proof, time.Time) error {
	return nil
}
func (w *world) Current(context.Context) (domain.Account, error) {
	return domain.Account{PasswordHash: w.login.PasswordHash}, nil
}
func (w *world) ReplacePassword(context.Context, uuid.UUID, string, string) error {
	if w.changed {
		return ports.ErrPasswordChanged
	}
	return nil
}
func (w *world) EndOthers(context.Context, uuid.UUID) (int, error) { return 0, nil }
func (w *world) Create(context.Context, domain.Session) error      { return nil }
func (w *world) KeyID() string                                     { return "k" }
func (w *world) Pair(domain.Session) (ports.Pair, error)           { return ports.Pair{}, nil }
func (w *world) ReadRefresh(string) (ports.RefreshClaims, error) {
	return ports.RefreshClaims{}, nil
}
func (w *world) As(ctx context.Context, _, _ uuid.UUID, work func(context.Context) error) error {
	return work(ctx)
}
func (w *world) Session(_ context.Context, action string, _ uuid.UUID) error {
	w.opened = append(w.opened, action)
	return nil
}

func (w *world) issuer() usecases.SessionIssuer {
	return usecases.SessionIssuer{Sessions: w, Tokens: w, Transactions: w, Audit: w, Factors: unfactored{}, IdleLife: time.Hour, Now: time.Now}
}

// unfactored are users without a second factor.
type unfactored struct{ ports.Factors }

func (unfactored) LockAccount(context.Context, uuid.UUID) (ports.LockedAccount, error) {
	return ports.LockedAccount{}, nil
}

var operation = uuid.New()

func known() *domain.Login {
	return &domain.Login{UserID: uuid.New(), WorkspaceID: uuid.New(), PasswordHash: "hash of a good secret", OperationID: operation}
}

func TestATakenAddressIsARepetitionOnlyForTheSameCallWithThePassword(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		login     *domain.Login
		operation uuid.UUID
		password  string
		want      error
		audit     []string
	}{
		"free":              {nil, operation, "a good secret", nil, []string{"user.register"}},
		"the same again":    {known(), operation, "a good secret", nil, []string{"session.open"}},
		"another operation": {known(), uuid.New(), "a good secret", ports.ErrEmailExists, nil},
		"another password":  {known(), operation, "another secret", ports.ErrEmailExists, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{login: test.login}
			grant, err := usecases.RegisterUser{
				Users: w, Accounts: w, Check: w.check(), Issuer: w.issuer(), Verify: usecases.VerifyEmail{Off: true},
			}.Do(t.Context(), usecases.Registration{
				Email: "ada@example.com", Password: test.password, WorkspaceName: "Acme", OperationID: test.operation,
			})
			require.Equal(t, test.audit, w.opened)
			if test.want != nil {
				require.ErrorIs(t, err, test.want)
				require.Equal(t, usecases.Grant{}, grant)
				return
			}
			require.NoError(t, err)
			if test.login != nil {
				require.Equal(t, test.login.UserID, grant.Session.UserID, "a second user was made")
			}
		})
	}
}

func TestARepeatedRegistrationIsNoWayRoundTheLogInsRules(t *testing.T) {
	t.Parallel()
	again := func(w *world, password string) error {
		_, err := usecases.RegisterUser{
			Users: w, Accounts: w, Check: w.check(), Issuer: w.issuer(), Verify: usecases.VerifyEmail{Off: true},
		}.Do(t.Context(), usecases.Registration{
			Email: "ada@example.com", Password: password, WorkspaceName: "Acme", OperationID: operation,
		})
		return err
	}
	guessing := &world{login: known()}
	require.ErrorIs(t, again(guessing, "another secret"), ports.ErrEmailExists)
	require.Equal(t, 1, guessing.attempts, "a guess that is not counted")
	changing := &world{login: known(), changed: true}
	require.ErrorIs(t, again(changing, "a good secret"), ports.ErrEmailExists)
	require.Empty(t, changing.opened, "a session that outlives the change of its password")
}

func TestARegistrationTellsWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	w := &world{}
	_, err := usecases.RegisterUser{
		Users: w, Accounts: w, Check: w.check(), Issuer: w.issuer(), Verify: usecases.VerifyEmail{Off: true},
	}.Do(t.Context(), usecases.Registration{Email: "x", Password: "short"})
	require.ErrorIs(t, err, fail.ErrValidation)
	require.Len(t, fail.From(err).Details["errors"], 3, "every wrong field at once")
	_, err = usecases.RegisterUser{
		Users: w, Accounts: w, Check: w.check(), Issuer: w.issuer(), Verify: usecases.VerifyEmail{Off: true},
	}.Do(t.Context(), usecases.Registration{Email: "a@b", Password: "a good secret", WorkspaceName: " "})
	require.ErrorIs(t, err, fail.ErrValidation)
}

// An unknown account and a wrong password have the same result: same answer, and as many hashes worked on.
func TestAnUnknownAddressIsAnsweredLikeAWrongPassword(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		login *domain.Login
		email string
		pass  string
		hash  string
		ok    bool
	}{
		"right":          {known(), "ada@example.com", "a good secret", "hash of a good secret", true},
		"wrong password": {known(), "ada@example.com", "wrong", "hash of a good secret", false},
		"unknown":        {nil, "ada@example.com", "a good secret", "", false},
		"no address":     {known(), "ada", "a good secret", "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{login: test.login}
			_, err := usecases.LogIn{Users: w, Accounts: w, Check: w.check(), Issuer: w.issuer()}.Do(t.Context(), usecases.Credentials{Email: test.email, Password: test.pass})
			require.Equal(t, []string{test.hash}, w.verified)
			if test.ok {
				require.NoError(t, err)
				return
			}
			require.Equal(t, ports.ErrInvalidCredentials, err)
			require.Empty(t, w.opened)
		})
	}
}
