package domain_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/domain"
)

func TestANewNameHasNothingThatHarmsAnEmail(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]error{
		"Acme": nil, "Acme Inc.": nil, "Booking.com": nil, "Node.js Guild": nil, "Who is Dr.No?": nil, "R&D / Ops": nil, "Big data: yes": nil,
		"Ромашка": nil, "می\u200cخواهم": nil, "❤\ufe0f Acme": nil, "AT&T: support": nil,
		"http://evil.example": domain.ErrNameText, "see HTTPS://evil.example now": domain.ErrNameText, "ftp://x": domain.ErrNameText,
		"www.evil.example": domain.ErrNameText, "Go to WWW.evil.example": domain.ErrNameText, "evil.example/win": domain.ErrNameText,
		"mailto:eve": domain.ErrNameText, "пример.рф/приз": domain.ErrNameText,
		"Acme\r\nBcc: eve@example.com": domain.ErrNameText, "Acme\x00": domain.ErrNameText, "Acme\t1": domain.ErrNameText, "Acme\u2028x": domain.ErrNameText,
		"Acme\u202egnp": domain.ErrNameText, "\u2066Acme": domain.ErrNameText, "Acme\u0085x": domain.ErrNameText,
	} {
		require.ErrorIs(t, domain.CheckName(name), want, "%q", name)
	}
}

func TestAnOldNameIsMadeHarmlessInAnEmail(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Acme":                                  "Acme",
		"Acme Inc.":                             "Acme Inc.",
		"Booking.com":                           "Booking[.]com",
		"https://a.b.c.example/win?x=y.z":       "https[:]//a[.]b[.]c[.]example/win?x=y[.]z",
		"www.evil.example":                      "www[.]evil[.]example",
		"eve@evil.example":                      "eve[at]evil[.]example",
		"Acme\r\nBcc: eve@x\r\n\r\nWin a prize": "Acme Bcc: eve[at]x Win a prize",
		"\u202eAcme\u2066  \"x\"":               "Acme 'x'",
		strings.Repeat("ü", 61):                 strings.Repeat("ü", 60) + "…",
		"":                                      "",
	} {
		require.Equal(t, want, domain.MailName(name), "%q", name)
	}
	require.Equal(t, "ada@example.com", domain.MailAddress("ada@example.com"))
	require.Equal(t, "<ada[at]example[.]com>", domain.MailAddress("<ada@example.com>"))
	require.NotContains(t, domain.MailAddress(strings.Repeat("win", 50)+"@example.com"), "@")
}

func TestATagMakesNoOtherMailbox(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"ada@example.com": "ada@example.com", "ada+bots@example.com": "ada@example.com", "ada+a+b@example.com": "ada@example.com", "+x@example.com": "+x@example.com",
	} {
		email, err := domain.NewEmail(address)
		require.NoError(t, err)
		require.Equal(t, want, email.Mailbox())
	}
}
