package operating

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/testing/mailtest"
)

// code is what an authenticator shows now.
func code(t *testing.T, secret string) string {
	t.Helper()
	text, err := totp.GenerateCode(secret, time.Now())
	require.NoError(t, err)
	return text
}

// setFactor gives a caller a second factor, and returns its secret.
func setFactor(t *testing.T, c *harness.Caller) (secret string) {
	t.Helper()
	secret = c.Post(t, "/v1/auth/factors/totp", nil).Text("secret")
	confirmed := c.Post(t, "/v1/auth/factors/totp/confirm", map[string]any{"code": code(t, secret)})
	require.Equal(t, http.StatusOK, confirmed.Status, confirmed)
	return secret
}

func TestAnOperatorRemovesALostFactor(t *testing.T) {
	t.Parallel()
	box := mailtest.New(t)
	p := harness.Start(t, append([]string{"SMTP_URL=smtp://" + box.Address}, harness.FastJobs...)...)
	ada := p.Register(t)
	setFactor(t, ada)
	harness.RequireCode(t, p.LogIn(t, ada.Email, harness.Password), http.StatusUnauthorized, "SECOND_FACTOR_REQUIRED")
	done := harness.Operate(t, p.Settings, "users", "remove-factor", "--email", ada.Email)
	require.Equal(t, ada.User, done[0]["id"])
	require.Equal(t, http.StatusOK, p.LogIn(t, ada.Email, harness.Password).Status)
	box.Wait(t, ada.Email, "The second factor of your Parley account was removed", 1)
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM audit_log WHERE action = 'user.remove_second_factor' AND resource_id = $1 AND user_agent = 'operator'`, ada.User))
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM account_events WHERE action = 'second_factor.remove' AND user_id = $1 AND user_agent = 'operator'`, ada.User))
	exit, _, problem := harness.Tool(t, p.Settings, "users", "remove-factor", "--email", ada.Email)
	require.Equal(t, app.ExitFailed, exit)
	require.Contains(t, problem, "no authenticator")
}

func TestTheSecretsOfAuthenticatorsTakePartInAChangeOfTheKey(t *testing.T) {
	t.Parallel()
	old := harness.Start(t, withKey([]string{"WORKERS=0"}, formerKey, nextKey)...)
	ada := old.Register(t)
	secret := setFactor(t, ada)
	require.Contains(t, column(harness.Operate(t, old.Settings, "secret", "status"), "kind"), "second_factors")
	next := harness.StartOn(t, old.Database, withKey([]string{"WORKERS=0"}, nextKey, formerKey)...)
	done, resealed := rotated(t, next.Settings)
	require.Equal(t, true, done["complete"], done)
	require.Equal(t, 1, int(resealed["second_factors"]))
	require.Equal(t, app.ExitOK, old.Stop())

	alone := harness.StartOn(t, old.Database, withKey([]string{"WORKERS=0"}, nextKey)...)
	alone.SQL(t, `UPDATE account_totp SET last_step = 0`)
	in := alone.LogIn(t, ada.Email, harness.Password)
	finished := alone.Anonymous().Post(t, "/v1/auth/login/factor", map[string]any{"ticket": in.Text("details.ticket"), "code": code(t, secret)})
	require.Equal(t, http.StatusOK, finished.Status, finished)
	require.NotContains(t, strings.Join(column(harness.Operate(t, alone.Settings, "secret", "status"), "state"), " "), "former")
}
