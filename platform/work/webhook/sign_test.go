package webhook_test

import (
	"bytes"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/work/webhook"
)

var (
	body = []byte(`{"test": 2432232314}`)
	sent = time.Unix(1614265330, 0)
)

const known = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// The vector of the specification's own libraries.
func TestASignatureIsThatOfTheSpecification(t *testing.T) {
	t.Parallel()
	h, err := webhook.Sign([]string{known}, "msg_p5jXN8AQM9LWM0D4loKWxJek", sent, body)
	require.NoError(t, err)
	require.Equal(t, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", h.Get("webhook-signature"))
	require.Equal(t, "1614265330", h.Get("webhook-timestamp"))
}

func TestOnlyWhoHasASecretIsBelieved(t *testing.T) {
	t.Parallel()
	mine, other, empty := webhook.NewSecret(), webhook.NewSecret(), "whsec_"
	sign := func(secrets ...string) http.Header {
		h, err := webhook.Sign(secrets, "msg_1", sent, body)
		require.NoError(t, err)
		return h
	}
	with := func(h http.Header, name string, values ...string) http.Header {
		h = h.Clone()
		h[http.CanonicalHeaderKey(name)] = values
		return h
	}
	good := sign(mine)
	svix := func(h http.Header) http.Header { // the same under the names that Svix has for them
		named := http.Header{}
		for name, values := range h {
			named[strings.Replace(name, "Webhook-", "Svix-", 1)] = values
		}
		return named
	}
	both := func(standard, svix http.Header) http.Header {
		all := standard.Clone()
		maps.Copy(all, svix)
		return all
	}
	for name, test := range map[string]struct {
		secrets []string
		header  http.Header
		body    []byte
		now     time.Time
		err     error
	}{
		"signed":                        {[]string{mine}, good, body, sent, nil},
		"with the second of two":        {[]string{other, mine}, good, body, sent, nil},
		"by two, one of them known":     {[]string{mine}, sign(other, mine), body, sent, nil},
		"beside another version":        {[]string{mine}, with(good, "webhook-signature", "v1a,x v2,y "+good.Get("webhook-signature")), body, sent, nil},
		"five minutes ago":              {[]string{mine}, good, body, sent.Add(5 * time.Minute), nil},
		"in five minutes":               {[]string{mine}, good, body, sent.Add(-5 * time.Minute), nil},
		"longer ago":                    {[]string{mine}, good, body, sent.Add(5*time.Minute + time.Second), webhook.ErrTimestamp},
		"later":                         {[]string{mine}, good, body, sent.Add(-5*time.Minute - time.Second), webhook.ErrTimestamp},
		"by another":                    {[]string{mine}, sign(other), body, sent, webhook.ErrSignature},
		"another body":                  {[]string{mine}, good, append(bytes.Clone(body), ' '), sent, webhook.ErrSignature},
		"another id":                    {[]string{mine}, with(good, "webhook-id", "msg_2"), body, sent, webhook.ErrSignature},
		"another time":                  {[]string{mine}, with(good, "webhook-timestamp", "1614265331"), body, sent, webhook.ErrSignature},
		"no secrets":                    {nil, good, body, sent, webhook.ErrSignature},
		"an empty secret":               {[]string{"", empty}, good, body, sent, webhook.ErrSignature},
		"no signature":                  {[]string{mine}, with(good, "webhook-signature"), body, sent, webhook.ErrHeader},
		"an empty signature":            {[]string{mine}, with(good, "webhook-signature", ""), body, sent, webhook.ErrSignature},
		"nothing behind the version":    {[]string{mine}, with(good, "webhook-signature", "v1,"), body, sent, webhook.ErrSignature},
		"two ids":                       {[]string{mine}, with(good, "webhook-id", "msg_1", "msg_1"), body, sent, webhook.ErrHeader},
		"an id with the separator":      {[]string{mine}, with(good, "webhook-id", "msg.1"), body, sent, webhook.ErrHeader},
		"an id with a space":            {[]string{mine}, with(good, "webhook-id", "msg 1"), body, sent, webhook.ErrHeader},
		"a long id":                     {[]string{mine}, with(good, "webhook-id", strings.Repeat("m", 257)), body, sent, webhook.ErrHeader},
		"a time that is none":           {[]string{mine}, with(good, "webhook-timestamp", "now"), body, sent, webhook.ErrHeader},
		"a time beyond all":             {[]string{mine}, with(good, "webhook-timestamp", "9223372036854775807"), body, sent, webhook.ErrTimestamp},
		"an empty secret's signature":   {[]string{empty}, with(good, "webhook-signature", "v1,"+signedByNobody), body, sent, webhook.ErrSignature},
		"a secret that is too short":    {[]string{"whsec_c2hvcnQ="}, good, body, sent, webhook.ErrSignature},
		"named by Svix":                 {[]string{mine}, svix(good), body, sent, nil},
		"named by Svix, by another":     {[]string{mine}, svix(sign(other)), body, sent, webhook.ErrSignature},
		"named by Svix, another id":     {[]string{mine}, with(svix(good), "svix-id", "msg_2"), body, sent, webhook.ErrSignature},
		"named by Svix, longer ago":     {[]string{mine}, svix(good), body, sent.Add(5*time.Minute + time.Second), webhook.ErrTimestamp},
		"named by Svix, two ids":        {[]string{mine}, with(svix(good), "svix-id", "msg_1", "msg_1"), body, sent, webhook.ErrHeader},
		"named by Svix, no time":        {[]string{mine}, with(svix(good), "svix-timestamp"), body, sent, webhook.ErrHeader},
		"named both ways":               {[]string{mine}, both(good, svix(good)), body, sent, nil},
		"named both ways, one wrong":    {[]string{mine}, both(good, svix(sign(other))), body, sent, nil},
		"named both ways, first wrong":  {[]string{mine}, both(sign(other), svix(good)), body, sent, webhook.ErrSignature},
		"a mix of names":                {[]string{mine}, both(with(good, "webhook-id"), with(svix(good), "svix-signature")), body, sent, webhook.ErrHeader},
		"one name beside those of Svix": {[]string{mine}, both(http.Header{"Webhook-Id": {"msg_1"}}, svix(good)), body, sent, webhook.ErrHeader},
		"without whsec_ it is the same": {[]string{strings.TrimPrefix(mine, "whsec_")}, good, body, sent, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, err := webhook.Verify(test.secrets, test.header, test.body, test.now)
			require.ErrorIs(t, err, test.err)
			if err == nil {
				require.Equal(t, "msg_1", id)
			}
		})
	}
}

// signedByNobody is the HMAC-SHA-256 of "msg_1.1614265330." and body by the empty key, which everybody can make.
const signedByNobody = "Bl1a0SVt78DCV06Rvr6oSEMbCaFysVu27en9cW0mNBI="

func TestNobodySignsWithoutASecret(t *testing.T) {
	t.Parallel()
	for _, secrets := range [][]string{nil, {""}, {"whsec_"}, {"whsec_c2hvcnQ="}, {webhook.NewSecret(), "not base64"}} {
		_, err := webhook.Sign(secrets, "msg_1", sent, body)
		require.Error(t, err)
	}
	_, err := webhook.Sign([]string{known}, "", sent, body)
	require.Error(t, err)
	one, other := webhook.NewSecret(), webhook.NewSecret()
	require.NotEqual(t, one, other)
}

func TestAKeyringHasTheNewestFirstAndForgetsWhatIsOver(t *testing.T) {
	t.Parallel()
	keys, owner := webhook.Keys{Box: secret.NewBox(secret.Keys{{Bytes: make([]byte, 32)}})}, uuid.New()
	ring, first := keys.New(owner)
	ring, second := keys.Rotate(ring, owner, time.Hour, sent)
	open := func(now time.Time) []string {
		secrets, err := keys.Open(ring, owner, now)
		require.NoError(t, err)
		return secrets
	}
	require.Equal(t, []string{second, first}, open(sent))
	require.Equal(t, []string{second}, open(sent.Add(time.Hour)))
	ring, third := keys.Rotate(ring, owner, 10*time.Minute, sent)
	require.Equal(t, []string{third, second, first}, open(sent.Add(9*time.Minute)))
	require.Equal(t, []string{third}, open(sent.Add(10*time.Minute)), "a shorter overlap is for all that were there")
	for range 20 {
		ring, _ = keys.Rotate(ring, owner, time.Hour, sent)
	}
	require.Len(t, ring, 5)
	ring, last := keys.Rotate(ring, owner, 0, sent)
	require.Equal(t, []string{last}, open(sent))
	_, err := keys.Open(ring, uuid.New(), sent)
	require.ErrorIs(t, err, secret.ErrSealed, "another's")
}

func FuzzVerify(f *testing.F) {
	f.Add("msg_1", "1614265330", "v1,x v2,y", "body")
	f.Add("", "-1", ",,, v1", "")
	mine := webhook.NewSecret()
	f.Fuzz(func(t *testing.T, id, at, signature, content string) {
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {at}, "Webhook-Signature": {signature}}
		_, err := webhook.Verify([]string{mine}, h, []byte(content), sent)
		require.Error(t, err, "nobody knows the secret")
		if signed, err := webhook.Sign([]string{mine}, id, sent, []byte(content)); err == nil {
			got, err := webhook.Verify([]string{mine}, signed, []byte(content), sent)
			require.NoError(t, err)
			require.Equal(t, id, got)
		}
	})
}

func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{"https://example.com/", "https://[::ffff:127.0.0.1]/", "https://0x7f.1/", "https://a@b#c", "https://①②⑦.⓪.⓪.①/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if webhook.CheckURL(raw, webhook.PublicTargets) == nil {
			req, err := http.NewRequest(http.MethodPost, raw, http.NoBody)
			require.NoError(t, err)
			require.Equal(t, "https", req.URL.Scheme)
			require.Nil(t, req.URL.User)
			_, err = strconv.Atoi(req.URL.Hostname())
			require.Error(t, err)
		}
	})
}
