package totp_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/adapters/totp"
)

// The test vectors of RFC 6238, appendix B, for SHA-1, of which six digits are left.
func TestCodesAreThoseOfTheRFC(t *testing.T) {
	t.Parallel()
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // 12345678901234567890
	for seconds, code := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		step, ok := totp.Codes{}.Step(secret, code, 0, time.Unix(seconds, 0))
		require.True(t, ok, code)
		require.Equal(t, seconds/30, step)
	}
}

func TestACodeIsGoodForThreeStepsAndOnce(t *testing.T) {
	t.Parallel()
	const secret, code, step = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "005924", int64(1234567890 / 30)
	at := func(seconds int64) time.Time { return time.Unix(step*30+seconds, 0) }
	for name, test := range map[string]struct {
		code  string
		after int64
		at    time.Time
		ok    bool
	}{
		"at its beginning":    {code, 0, at(0), true},
		"at its end":          {code, 0, at(29), true},
		"clock one step late": {code, 0, at(-30), true},
		"clock one step fast": {code, 0, at(59), true},
		"too early":           {code, 0, at(-31), false},
		"too late":            {code, 0, at(60), false},
		"used":                {code, step, at(0), false},
		"a later one used":    {code, step + 1, at(59), false},
		"an earlier one used": {code, step - 1, at(0), true},
		"another":             {"005925", 0, at(0), false},
		"empty":               {"", 0, at(0), false},
		"shorter":             {"05924", 0, at(0), false},
	} {
		got, ok := totp.Codes{}.Step(secret, test.code, test.after, test.at)
		require.Equal(t, test.ok, ok, name)
		if ok {
			require.Equal(t, step, got, name)
		}
	}
	_, ok := totp.Codes{}.Step("no base32!", code, 0, at(0))
	require.False(t, ok)
}

func TestASecretIsShownAsAppsReadIt(t *testing.T) {
	t.Parallel()
	codes := totp.Codes{Issuer: "Parley"}
	secret, uri, err := codes.New("ada+test@example.com")
	require.NoError(t, err)
	require.Len(t, secret, 32, "160 bits in base32")
	parsed, err := url.Parse(uri)
	require.NoError(t, err)
	require.Equal(t, "/Parley:ada+test@example.com", parsed.Path)
	require.Equal(t, secret, parsed.Query().Get("secret"))
	again, _, err := codes.New("ada+test@example.com")
	require.NoError(t, err)
	require.NotEqual(t, secret, again)
}
