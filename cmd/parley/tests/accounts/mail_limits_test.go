package accounts

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// mailServer takes the emails that it is sent (RFC 5321).
type mailServer struct {
	address string
	mu      sync.Mutex
	emails  []string
}

func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	m := &mailServer{address: l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go m.serve(conn)
		}
	}()
	return m
}

func (m *mailServer) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewScanner(conn)
	say := func(line string) { _, _ = fmt.Fprintf(conn, "%s\r\n", line) }
	say("220 here")
	for in.Scan() {
		switch verb, _, _ := strings.Cut(strings.ToUpper(in.Text()), " "); verb {
		case "DATA":
			say("354 go on")
			var email strings.Builder
			for in.Scan() && in.Text() != "." {
				email.WriteString(in.Text() + "\n")
			}
			m.mu.Lock()
			m.emails = append(m.emails, email.String())
			m.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}

func (m *mailServer) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.emails...)
}

// text gives the decoded body of an email.
func text(t *testing.T, email string) string {
	t.Helper()
	head, body, ok := strings.Cut(email, "\n\n")
	require.True(t, ok)
	var decoded io.Reader = strings.NewReader(body)
	switch {
	case strings.Contains(head, "quoted-printable"):
		decoded = quotedprintable.NewReader(decoded)
	case strings.Contains(head, "base64"):
		decoded = base64.NewDecoder(base64.StdEncoding, decoded)
	}
	raw, err := io.ReadAll(decoded)
	require.NoError(t, err)
	return string(raw)
}

func TestAWorkspaceAndAPersonSendSoManyInvitationsADay(t *testing.T) {
	t.Parallel()
	box := newMailServer(t)
	p := harness.Start(t, append(harness.FastJobs, "SMTP_URL=smtp://"+box.address, "LIMIT_INVITATIONS_DAY=8")...)
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
	require.Len(t, box.all(), 9)
	p.SQL(t, `UPDATE mail_counts SET day = day - 1`)
	require.Equal(t, http.StatusCreated, ada.TryInvite(t, "x@example.com").Status, "the next day")
	p.SQL(t, `SELECT app.forget_mail_counts()`)
	require.Zero(t, p.Number(t, `SELECT count(*) FROM mail_counts WHERE day < (now() AT TIME ZONE 'UTC')::date`))
}

func TestAnAddressGetsFewEmailsAndNobodySeesOfWhom(t *testing.T) {
	t.Parallel()
	box := newMailServer(t)
	p := harness.Start(t, append(harness.FastJobs, "SMTP_URL=smtp://"+box.address)...)
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
	require.Len(t, box.all(), 3, "three a day to one mailbox")
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
	before := len(box.all())
	p.SQL(t, `DELETE FROM mail_counts`)
	require.Equal(t, http.StatusCreated, inviters[7].TryInvite(t, "open@example.com").Status)
	p.Sent(t)
	require.Len(t, box.all(), before)
	p.SQL(t, `UPDATE invitations SET expires_at = now() WHERE email = 'open@example.com'`)
	require.Equal(t, http.StatusCreated, inviters[7].TryInvite(t, "open@example.com").Status)
	p.Sent(t)
	require.Len(t, box.all(), before+1)
}

func TestAnInvitationSaysWhoInvitesWhomToWhat(t *testing.T) {
	t.Parallel()
	box := newMailServer(t)
	p := harness.Start(t, append(harness.FastJobs, "SMTP_URL=smtp://"+box.address)...)
	ada := p.Register(t)
	_, token := ada.Invite(t, "grace@example.com", "editor")
	p.Sent(t)
	said := text(t, box.all()[0])
	for _, part := range []string{ada.Email + " invites grace@example.com to a workspace of Parley, as editor", `"Acme"`, token} {
		require.Contains(t, said, part)
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
	email := box.all()[1]
	head, _, _ := strings.Cut(email, "\n\n")
	require.NotContains(t, head, "Bcc")
	require.NotContains(t, head, "won")
	said = text(t, email)
	require.Contains(t, said, `"You have won Bcc: eve[at]evil[.]example https[:]//evil[.]example/win …"`)
	require.Contains(t, said, "win[.]at[.]www[.]evil[.]example[at]x(click) invites grace2@example.com")
	require.NotContains(t, said, "evil.example")
	require.NotContains(t, said, "://")
}
