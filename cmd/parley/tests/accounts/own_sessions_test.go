package accounts

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"

// inTwo is somebody with a session in each of two workspaces.
func inTwo(t *testing.T, p *harness.Program) (here, there *harness.Caller) {
	t.Helper()
	here = p.Register(t)
	labs := here.Post(t, "/v1/workspaces", map[string]any{"name": "Labs"}).Text("id")
	there = &harness.Caller{Program: p, Email: here.Email}
	in := there.Post(t, "/v1/auth/login", map[string]any{"email": here.Email, "password": harness.Password, "workspace_id": labs}, harness.Header{Name: "User-Agent", Value: firefox})
	require.Equal(t, http.StatusOK, in.Status, in)
	there.Take(in)
	require.Equal(t, labs, there.Workspace)
	return here, there
}

func TestAUserSeesAndEndsTheSessionsOfAllWorkspaces(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	here, there := inTwo(t, p)
	eve := p.Register(t)

	list := here.Get(t, "/v1/auth/sessions").Items()
	require.Len(t, list, 2)
	require.Equal(t, []any{there.Session(t), there.Workspace, false, "Firefox on Linux", "127.0.0.0/24", "127.0.0.1", firefox}, []any{
		list[0]["id"], list[0]["workspace_id"], list[0]["current"], list[0]["device"], list[0]["network"], list[0]["ip"], list[0]["user_agent"],
	})
	require.Equal(t, []any{[]any{"pwd"}, list[0]["created_at"]}, []any{list[0]["amr"], list[0]["authenticated_at"]})
	require.Equal(t, []any{here.Session(t), here.Workspace, true}, []any{list[1]["id"], list[1]["workspace_id"], list[1]["current"]})
	first := here.Get(t, "/v1/auth/sessions?limit=1")
	require.Equal(t, list[:1], first.Items())
	require.Equal(t, list[1:], here.Get(t, "/v1/auth/sessions?limit=1&cursor="+first.Text("next_cursor")).Items())
	require.Len(t, eve.Get(t, "/v1/auth/sessions").Items(), 1)

	harness.RequireCode(t, here.Delete(t, "/v1/auth/sessions/"+eve.Session(t)), http.StatusNotFound, "NOT_FOUND")
	harness.RequireCode(t, here.Delete(t, "/v1/auth/sessions/"+uuid.NewString()), http.StatusNotFound, "NOT_FOUND")
	eve.RequireAlive(t, "somebody else's session")
	op := harness.Operation(uuid.NewString())
	require.Equal(t, http.StatusNoContent, here.Delete(t, "/v1/auth/sessions/"+there.Session(t), op).Status)
	there.RequireEnded(t, "ended from another workspace")
	require.Equal(t, http.StatusNoContent, here.Delete(t, "/v1/auth/sessions/"+there.Session(t), op).Status, "the same call again")
	harness.RequireCode(t, here.Delete(t, "/v1/auth/sessions/"+there.Session(t)), http.StatusNotFound, "NOT_FOUND")
	require.Len(t, here.Get(t, "/v1/auth/sessions").Items(), 1)
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM audit_log WHERE action = 'session.close' AND workspace_id = $1 AND resource_id = $2`, here.Workspace, there.Session(t)))
}

func TestAUserInNoWorkspaceSeesAndEndsSessions(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	bob := p.Homeless(t)
	other := bob.Another(t)
	list := bob.Get(t, "/v1/auth/sessions").Items()
	require.Len(t, list, 2)
	require.Equal(t, []any{other.Session(t), nil, bob.Session(t), nil}, []any{list[0]["id"], list[0]["workspace_id"], list[1]["id"], list[1]["workspace_id"]})
	require.Equal(t, http.StatusNoContent, bob.Delete(t, "/v1/auth/sessions/"+other.Session(t)).Status)
	other.RequireEnded(t, "ended by the other")
	harness.RequireCode(t, bob.Delete(t, "/v1/auth/sessions/"+other.Session(t)), http.StatusNotFound, "NOT_FOUND")
	harness.RequireCode(t, bob.Delete(t, "/v1/auth/sessions/"+p.Register(t).Session(t)), http.StatusNotFound, "NOT_FOUND")
	require.Contains(t, bob.AccountEvents(t), "session.close  127.0.0.1")
}

func TestTheOldestOfTooManySessionsEnds(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	p.SQL(t, `INSERT INTO sessions (workspace_id, id, user_id, generation, rotated_at, kid, idle_expires_at, expires_at, created_at, user_agent)
		SELECT $1, gen_random_uuid(), $2, 1, now(), 'k', now() + interval '1 day', now() + interval '1 day', now() - n * interval '1 minute', '' FROM generate_series(1, 150) n`,
		ada.Workspace, ada.User)
	phone := ada.Another(t)
	require.Equal(t, 100, p.Number(t, `SELECT count(*) FROM sessions WHERE user_id = $1 AND revoked_at IS NULL`, ada.User))
	require.Equal(t, 0, p.Number(t, `SELECT count(*) FROM sessions WHERE user_id = $1 AND revoked_at IS NULL AND created_at < now() - interval '99 minutes'`, ada.User), "the newest stay")
	for _, c := range []*harness.Caller{ada, phone, eve} {
		c.RequireAlive(t, "a new session")
	}
}

func TestANewDeviceIsNoticed(t *testing.T) {
	t.Parallel()
	const subject, russian = "A new device is signed in to your account of Parley", "Вход в вашу учётную запись Parley с нового устройства"
	p, box := startWithMail(t, harness.BehindProxy, "EMAIL_VERIFICATION=off")
	ada, token := p.RegisterAt(t, "203.0.113.7")
	from := func(address, agent string, more ...harness.Header) {
		t.Helper()
		a := p.TryAt(t, ada.Email, harness.Password, address, append(more, harness.Header{Name: "User-Agent", Value: agent})...)
		require.Equal(t, http.StatusOK, a.Status, a)
	}
	sent := func() int {
		t.Helper()
		require.Eventually(t, func() bool { return p.Number(t, `SELECT count(*) FROM account_emails`) == 0 }, time.Minute, 20*time.Millisecond)
		return len(box.To(t, ada.Email))
	}
	require.Equal(t, http.StatusOK, p.TryAt(t, ada.Email, harness.Password, "203.0.113.99").Status)
	require.Zero(t, sent(), "the first session, and the same device in its network")
	require.Equal(t, http.StatusUnauthorized, p.TryAt(t, ada.Email, "wrong", "198.51.100.1", harness.Header{Name: "User-Agent", Value: firefox}).Status)
	require.Zero(t, sent(), "a wrong password opens nothing")
	from("198.51.100.1", firefox, harness.Device(token))
	require.Zero(t, sent(), "a device that the account knows by its token")

	from("198.51.100.1", "curl/8.14.1")
	mail := box.Wait(t, ada.Email, subject, 1)
	require.Contains(t, mail.Text, "    curl, network 198.51.100.0/24")
	require.NotContains(t, mail.Text+mail.HTML, "198.51.100.1,")
	from("198.51.100.200", "curl/7.1")
	require.Equal(t, 1, sent(), "it is known by now")
	p.SQL(t, `UPDATE account_devices SET last_seen_at = now() - interval '181 days' WHERE device = 'curl'`)
	for _, a := range harness.AtOnce(4, func() harness.Answer {
		return p.TryAt(t, ada.Email, harness.Password, "198.51.100.2", harness.Header{Name: "User-Agent", Value: "curl/8.14.1"}, harness.Header{Name: "Accept-Language", Value: "ru"})
	}) {
		require.Equal(t, http.StatusOK, a.Status, a)
	}
	require.Contains(t, box.Wait(t, ada.Email, russian, 1).Text, "curl, сеть 198.51.100.0/24")
	require.Equal(t, 2, sent(), "one email of four sessions at once")

	for n := range 7 {
		from(fmt.Sprintf("192.0.2.1%d", n), fmt.Sprintf("agent-%d/1", n))
	}
	require.Equal(t, 5, sent(), "five a day")
	require.Empty(t, box.To(t, p.Register(t).Email))
	require.Equal(t, 1+1+1+7, p.Number(t, `SELECT count(*) FROM account_devices WHERE user_id = $1`, ada.User))
}
