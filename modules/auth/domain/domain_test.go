package domain_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/domain"
)

func TestAnAddressIsTrimmedLoweredAndChecked(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // text → address; "" is refused
		"ada@example.com":                      "ada@example.com",
		"  Ada@EXAMPLE.com\n":                  "ada@example.com",
		"a@b":                                  "a@b",
		"ÄDA@example.com":                      "äda@example.com",
		"ada+bots@example.com":                 "ada+bots@example.com",
		strings.Repeat("a", 318) + "@b":        strings.Repeat("a", 318) + "@b",
		"  " + strings.Repeat("ä", 318) + "@b": strings.Repeat("ä", 318) + "@b", // 320 characters, more bytes
		strings.Repeat("a", 319) + "@b":        "",
		"":                                     "",
		"@":                                    "",
		"a@":                                   "",
		"@b":                                   "",
		"ada":                                  "",
		"a@b@c":                                "",
		"a b@c":                                "",
		"a\u00a0b@c":                           "",
		"a\x00@c":                              "",
		"a\n@c":                                "",
	}
	for text, want := range tests {
		email, err := domain.NewEmail(text)
		if want == "" {
			require.ErrorIs(t, err, domain.ErrEmail, "%q", text)
			require.Equal(t, domain.Email{}, email)
			continue
		}
		require.NoError(t, err, "%q", text)
		require.Equal(t, want, email.String())
	}
}

func TestAPasswordIsTakenAsItIs(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"1234567": false, "1234567\u00a0": true, "12345678": false, "Password": false, "PaSsWoRd1 ": true, "        ": true, strings.Repeat("ü", 8): true, strings.Repeat("ü", 7): false,
		strings.Repeat("x", 128): true, strings.Repeat("x", 129): false, strings.Repeat("😀", 128): true,
	} {
		p, err := domain.NewPassword(text)
		if !ok {
			require.Error(t, err, "%q", text)
			continue
		}
		require.NoError(t, err, "%q", text)
		require.Equal(t, text, p.Reveal(), "neither trimmed nor shortened")
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			require.NotContains(t, fmt.Sprintf(verb, p), text, "a password that prints gets into a log")
		}
	}
}

func TestAWorkspaceHasAName(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"Acme": true, "": false, "   ": false, strings.Repeat("ü", 200): true, strings.Repeat("ü", 201): false,
	} {
		r, err := domain.NewRegistration(domain.Email{}, "hash", name, uuid.New(), time.Now())
		if ok {
			require.NoError(t, err, name)
			require.NotEqual(t, r.UserID, r.WorkspaceID)
			continue
		}
		require.ErrorIs(t, err, domain.ErrWorkspaceName, name)
	}
}
