package accounts

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/testing/mailtest"
)

func TestAWorkspaceAndAPersonSendSoManyInvitationsADay(t *testing.T) {
	t.Parallel()
	box := mailtest.New(t)
	p := harness.Start(t, append(harness.FastJobs, "EMAIL_VERIFICATION=off", "SMTP_URL=smtp://"+box.Address, "LIMIT_INVITATIONS_DAY=8")...)
	ada, eve := p.Register(t), p.Register(t)
	statuses := map[int]int{}
	for _, a := range harness.AtOnce(24, func() harness.Answer { return ada.TryInvite(t, uuid.NewString()+"@example.com") }) {
		statuses[a.Status]++
		if a.Status != http.StatusCreated {
			harness.RequireCode(t, a, http.StatusForbidden, "LIMIT_REACHED")
			require.Equal(t, []any{"invitations", 8.0, 8.0}, []any{a.At("details.metric"), a.At("details.limit"), a.At("details.used")})
			require.NotEmpty(t, a.Text("details.resets_at"))
		}
	}
	require.Equal(t, map[int]int{http.StatusCreated: 8, http.StatusForbidden: 16}, statuses, "exactly, also at once")
	labs := ada.Post(t, "/v1/workspaces", map[string]any{"name": "Labs"}).Text("id")
	harness.RequireCode(t, ada.Post(t, "/v1/invitations", map[string]any{"email": "x@example.com", "role": "viewer"}, harness.Header{Name: "X-Workspace-Id", Value: labs}),
		http.StatusForbidden, "LIMIT_REACHED")
	require.Equal(t, http.StatusCreated, eve.TryInvite(t, "x@example.com").Status, "another workspace and person")
	p.Sent(t)
	require.Len(t, box.Raw(), 9)
	p.SQL(t, `UPDATE mail_counts SET day = day - 1`)
	require.Equal(t, http.StatusCreated, ada.TryInvite(t, "x@example.com").Status, "the next day")
	p.SQL(t, `SELECT app.forget_mail_counts()`)
	require.Zero(t, p.Number(t, `SELECT count(*) FROM mail_counts WHERE day < (now() AT TIME ZONE 'UTC')::date`))
}

func TestAnAddressGetsFewEmailsAndNobodySeesOfWhom(t *testing.T) {
	t.Parallel()
	box := mailtest.New(t)
	p := harness.Start(t, append(harness.FastJobs, "EMAIL_VERIFICATION=off", "SMTP_URL=smtp://"+box.Address)...)
	const victim = "grace@example.com"
	var inviters []*harness.Caller
	for range 8 {
		inviters = append(inviters, p.Register(t))
	}
	var first, last harness.Answer
	for n, c := range inviters {
		a := c.TryInvite(t, []string{victim, "Grace+spam@example.com"}[n%2])
		require.Equal(t, http.StatusCreated, a.Status, a)
		if n == 0 {
			first = a
		}
		last = a
	}
	p.Sent(t)
	require.Len(t, box.Raw(), 3, "three a day to one mailbox")
	require.Len(t, last.Body, len(first.Body))
	jobs := func(c *harness.Caller) map[string]any {
		list := c.Get(t, "/v1/jobs?kind=mail.send").Items()
		require.Len(t, list, 1)
		return map[string]any{"status": list[0]["status"], "attempts": list[0]["attempts"]}
	}
	require.Equal(t, jobs(inviters[0]), jobs(inviters[7]), "who is not announced cannot see it")
	require.Equal(t, 1, p.Number(t, `SELECT count(DISTINCT octet_length(payload->>'letter')) FROM job_queue WHERE kind = 'mail.send' AND payload->>'letter' IS NOT NULL
		AND workspace_id IN (SELECT workspace_id FROM invitations WHERE email = $1)`, victim))
	require.Equal(t, http.StatusOK, p.Accept(t, last.Text("token"), harness.Password).Status, "its token is good")

	for _, day := range [][]*harness.Caller{inviters[:3], inviters[3:7]} { // five are announced, and no more while they are open
		p.SQL(t, `DELETE FROM mail_counts`)
		for _, c := range day {
			require.Equal(t, http.StatusCreated, c.TryInvite(t, "open@example.com").Status)
		}
	}
	require.Equal(t, 5, p.Number(t, `SELECT count(*) FROM invitations WHERE email = 'open@example.com' AND announced AND revoked_at IS NULL`))
	p.Sent(t)
	before := len(box.Raw())
	p.SQL(t, `DELETE FROM mail_counts`)
	require.Equal(t, http.StatusCreated, inviters[7].TryInvite(t, "open@example.com").Status)
	p.Sent(t)
	require.Len(t, box.Raw(), before)
	p.SQL(t, `UPDATE invitations SET expires_at = now() WHERE email = 'open@example.com'`)
	require.Equal(t, http.StatusCreated, inviters[7].TryInvite(t, "open@example.com").Status)
	p.Sent(t)
	require.Len(t, box.Raw(), before+1)
}

func TestAnInvitationSaysWhoInvitesWhomToWhat(t *testing.T) {
	t.Parallel()
	box := mailtest.New(t)
	p := harness.Start(t, append(harness.FastJobs, "EMAIL_VERIFICATION=off", "SMTP_URL=smtp://"+box.Address)...)
	ada := p.Register(t)
	_, token := ada.Invite(t, "grace@example.com", "editor")
	p.Sent(t)
	body := box.To(t, "grace@example.com")[0].Text
	for _, part := range []string{ada.Email + " invites grace@example.com to a workspace of Parley, as editor", `"Acme"`, token} {
		require.Contains(t, body, part)
	}
	for _, name := range []string{"http://evil.example", "www.evil.example", "evil.example/win", "Acme\r\nBcc: eve@example.com", "Acme\u202e"} {
		harness.RequireWrong(t, ada.Call(t, http.MethodPatch, "/v1/workspaces/"+ada.Workspace, map[string]any{"name": name}), "name")
		harness.RequireWrong(t, ada.Post(t, "/v1/workspaces", map[string]any{"name": name}), "name")
		harness.RequireWrong(t, p.Anonymous().Post(t, "/v1/auth/register", map[string]any{"email": "x@example.com", "password": harness.Password, "workspace_name": name}), "workspace_name")
	}
	p.SQL(t, `UPDATE workspaces SET name = $1`, "You have won\r\nBcc: eve@evil.example\r\n\r\nhttps://evil.example/win "+strings.Repeat("now ", 20))
	p.SQL(t, `UPDATE users SET email = $1`, "win.at.www.evil.example@x(click)")
	require.Equal(t, http.StatusCreated, ada.TryInvite(t, "grace2@example.com").Status)
	p.Sent(t)
	email := box.Raw()[1]
	head, _, _ := strings.Cut(email, "\r\n\r\n")
	require.NotContains(t, head, "Bcc")
	require.NotContains(t, head, "won")
	body = box.To(t, "grace2@example.com")[0].Text
	require.Contains(t, body, `"You have won Bcc: eve[at]evil[.]example https[:]//evil[.]example/win …"`)
	require.Contains(t, body, "win[.]at[.]www[.]evil[.]example[at]x(click) invites grace2@example.com")
	require.NotContains(t, body, "evil.example")
	require.NotContains(t, body, "://")
}

// Others must not keep the owner of a mailbox from having a link sent by asking for so many themselves.
func TestOthersDoNotUseUpTheEmailsThatAnOwnerMayAskFor(t *testing.T) {
	t.Parallel()
	p, box := startRequired(t, harness.BehindProxy)
	ada, _ := p.RegisterAt(t, "203.0.113.9")
	prove(t, p, box, ada.Email, 1)
	drained := func() {
		require.Eventually(t, func() bool { return p.Number(t, `SELECT count(*) FROM account_emails`) == 0 }, 60*time.Second, 20*time.Millisecond)
	}
	got := func(subject string) (n int) {
		for _, m := range box.To(t, ada.Email) {
			if m.Subject == subject {
				n++
			}
		}
		return n
	}
	for range 7 {
		forgot(t, p, ada.Email, harness.From("198.51.100.7"))
	}
	drained()
	require.Equal(t, 5, got(resetSubject), "of one network")
	for n := range 20 {
		forgot(t, p, ada.Email, harness.From(fmt.Sprintf("198.51.%d.7", 101+n)))
	}
	drained()
	require.Equal(t, 15, got(resetSubject), "of all strangers")
	for range 7 {
		forgot(t, p, ada.Email, harness.From("203.0.113.200"))
	}
	drained()
	require.Equal(t, 20, got(resetSubject), "of a network from which she has logged in")
}

func TestOthersDoNotUseUpTheEmailsThatVerifyAnAddress(t *testing.T) {
	t.Parallel()
	p, box := startRequired(t, harness.BehindProxy)
	email := "u" + uuid.NewString() + "@example.com"
	for range 7 {
		registerAs(t, p, email, otherPassword, harness.From("198.51.100.7"))
	}
	box.Wait(t, email, verifySubject, 5)
	ada := registerAs(t, p, email, harness.Password, harness.From("203.0.113.9"))
	code := codeOf(t, box.Wait(t, email, verifySubject, 6))
	a := ada.Post(t, "/v1/auth/email/verify", map[string]any{"code": code})
	require.Equal(t, http.StatusNoContent, a.Status, a)
}
