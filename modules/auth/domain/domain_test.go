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

func TestAnAddressHasOneCanonicalForm(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // text → address; "" is refused
		"ada@example.com":                      "ada@example.com",
		"  Ada@EXAMPLE.com\n":                  "ada@example.com",
		"a@b":                                  "a@b",
		"ÄDA@example.com":                      "äda@example.com",
		"a\u0308da@example.com":                "äda@example.com",
		"ada+bots@example.com":                 "ada+bots@example.com",
		"o'neil.x@example.com":                 "o'neil.x@example.com",
		"ada@пример.рф":                        "ada@xn--e1afmkfd.xn--p1ai",
		"ada@XN--E1afmkfd.xn--p1ai":            "ada@xn--e1afmkfd.xn--p1ai",
		"ada@a。b":                              "ada@a.b",
		"ａｄａ@ｘ．com":                            "ada@x.com",
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
		"<ada@x>":                              "",
		"Ada <ada@x>":                          "",
		"ada@x.":                               "",
		"ada@x。":                               "",
		"ada@x\u200b":                          "",
		"a\u200bda@x":                          "",
		"ada\ufe0f@x":                          "",
		"ada@x\u00ad.com":                      "",
		"x@y(comment)":                         "",
		"(comment)x@y":                         "",
		`"ada"@x`:                              "",
		"\u202eada@x":                          "",
		"ada\u2066@x":                          "",
		"ada@[127.0.0.1]":                      "",
		"ada@x..y":                             "",
		"a..b@x":                               "",
		".a@x":                                 "",
		"ada@-x.com":                           "",
		"ada@xn--a.com":                        "",
		"ada,bob@x":                            "",
		"ada@" + strings.Repeat("x", 64):       "",
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
		again, err := domain.NewEmail(email.String())
		require.NoError(t, err, "%q", text)
		require.Equal(t, want, again.String(), "a canonical form is its own")
	}
}

func TestAnAccountIsFoundByEveryFormThatItMayHave(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"Ada@X":                     {"ada@x"},
		"ada@пример.рф":             {"ada@пример.рф", "ada@xn--e1afmkfd.xn--p1ai"},
		"ada@xn--e1afmkfd.xn--p1ai": {"ada@xn--e1afmkfd.xn--p1ai", "ada@пример.рф"},
		"ada@ПРИМЕР。рф":             {"ada@пример。рф", "ada@xn--e1afmkfd.xn--p1ai", "ada@пример.рф"},
		" <Ada@x> ":                 {"<ada@x>"},
		"ada@x.":                    {"ada@x."},
		"x@y(comment)":              {"x@y(comment)"},
		"ada@x\u200b":               {"ada@x\u200b"},
		"ada":                       nil,
		"a@b@c":                     nil,
		"a b@c":                     nil,
		"a\x00@c":                   nil,
	} {
		email, err := domain.GivenEmail(text)
		if want == nil {
			require.ErrorIs(t, err, domain.ErrEmail, "%q", text)
			continue
		}
		require.NoError(t, err, "%q", text)
		require.Equal(t, want, email.Forms(), "%q", text)
	}
}

func TestAPasswordIsNormalisedAndOtherwiseTakenAsItIs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"1234567": domain.ErrPasswordLength, strings.Repeat("ü", 7): domain.ErrPasswordLength,
		"cafe\u0301 u\u0308":                       domain.ErrPasswordLength, // eight code points, six characters
		strings.Repeat("correct horse ", 9) + "ab": nil, strings.Repeat("correct horse ", 9) + "abc": domain.ErrPasswordLength,
		" correct horse battery ": nil, "ключ от квартиры": nil, "密码很安全可靠的": nil,
	} {
		p, err := domain.NewPassword(text)
		require.ErrorIs(t, err, want, "%q", text)
		if want != nil {
			continue
		}
		require.Equal(t, text, p.Reveal(), "neither trimmed nor shortened")
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			require.NotContains(t, fmt.Sprintf(verb, p), text, "a password that prints gets into a log")
		}
	}
	decomposed, err := domain.NewPassword("cafe\u0301 correct horse")
	require.NoError(t, err)
	require.Equal(t, "caf\u00e9 correct horse", decomposed.Reveal())
	require.Equal(t, []string{"caf\u00e9", "cafe\u0301"}, domain.PasswordForms("cafe\u0301"), "a hash may be older than normalising")
	require.Equal(t, []string{"caf\u00e9"}, domain.PasswordForms("caf\u00e9"), "no second hash where there is no second form")
}

func TestAPasswordThatIsEasyToGuessIsRefused(t *testing.T) {
	t.Parallel()
	context := domain.PasswordContext("ada.lovelace@ромашка.example", "Acme Support")
	for text, ok := range map[string]bool{
		"aaaaaaaa": false, "Password1!": false, "12345678": false, "qwertyuiop": false, "PaSsWoRd1 ": false, "iloveyou1": false,
		"        ": false, "яяяяяяяя": false, "абвгдежз": false, strings.Repeat("x", 128): false, strings.Repeat("😀", 128): false,
		"ada.lovelace@ромашка.example": false, "ada.lovelace": false, "AdaLovelace1": false, "acmesupport": false, "Acme Support1": false, "ромашка1": false,
		"correct horse battery": true, "Acme correct horse": true, "jA7#kq9Z": true, strings.Repeat("a", 60) + "correct horse battery": true,
		"correct horse battery" + strings.Repeat("a", 60): true,
	} {
		_, err := domain.NewPassword(text, context...)
		if ok {
			require.NoError(t, err, "%q", text)
		} else {
			require.ErrorIs(t, err, domain.ErrPasswordWeak, "%q", text)
		}
	}
	for _, text := range []string{"ada.lovelace", "acmesupport"} {
		_, err := domain.NewPassword(text)
		require.NoError(t, err, "%q is weak by its context alone", text)
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
