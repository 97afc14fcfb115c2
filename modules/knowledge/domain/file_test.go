package domain_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/knowledge/domain"
)

func TestAFileNameLeadsNowhereAndShowsAsWhatItIs(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		"prices.pdf":                  "prices.pdf",
		"Preise für März.pdf":         "Preise für März.pdf",
		"../../etc/passwd":            "passwd",
		"/etc/passwd":                 "passwd",
		`C:\Users\ada\prices.pdf`:     "prices.pdf",
		`..\..\boot.ini`:              "boot.ini",
		"folder/":                     "folder",
		"a\x00b\r\nc\x1b[31m.txt":     "abc[31m.txt",
		"invoice\u202Efdp.exe":        "invoicefdp.exe",
		"a\u2028b":                    "ab",
		"  spaces .txt ":              "spaces .txt",
		"bad\xffutf8":                 "bad\uFFFDutf8",
		".env":                        ".env",
		"می\u200cخواهم.txt":           "می\u200cخواهم.txt",
		"👩\u200d💻.txt":                "👩\u200d💻.txt",
		"...":                         "...",
		strings.Repeat("ü", 255):      strings.Repeat("ü", 255),
		"x/" + strings.Repeat("a", 9): "aaaaaaaaa",
	} {
		name, err := domain.NewFileName(sent)
		require.NoError(t, err, "%q", sent)
		require.Equal(t, want, name.String())
		again, err := domain.NewFileName(name.String())
		require.NoError(t, err)
		require.Equal(t, name, again, "a clean name is clean")
	}
	for _, sent := range []string{"", ".", "..", "/", "a/..", `\`, "   ", "\x00", "\u202E", "\u200d", "\u200c \u200d", strings.Repeat("a", 256)} {
		_, err := domain.NewFileName(sent)
		require.ErrorIs(t, err, domain.ErrFileName, "%q", sent)
	}
}
