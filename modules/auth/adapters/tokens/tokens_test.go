package tokens_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/adapters/tokens"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

const secret = "0123456789abcdef0123456789abcdef"

var now = time.Date(2026, 3, 1, 12, 0, 0, 987_654_000, time.UTC)

func maker(t *testing.T, change func(*tokens.Options)) *tokens.Tokens {
	t.Helper()
	o := tokens.Options{Secret: secret, Issuer: "parley", AccessTTL: 15 * time.Minute, Now: func() time.Time { return now }}
	if change != nil {
		change(&o)
	}
	made, err := tokens.New(o)
	require.NoError(t, err)
	return made
}

func session(kid string) domain.Session {
	return domain.NewSession(uuid.New(), uuid.New(), kid, domain.Client{}, 14*24*time.Hour, now)
}

// forge signs any claims, by hand, so that nothing of the library stands in the way.
func forge(header, claims map[string]any, key string, with func() hash.Hash) string {
	encode := func(v any) string {
		raw, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	text := encode(header) + "." + encode(claims)
	if with == nil {
		return text + "."
	}
	mac := hmac.New(with, []byte(key))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// forgery is a token that is good but for one thing.
type forgery struct {
	header, claims map[string]any // what differs; nil takes it away
	key            string
	with           func() hash.Hash
	unsigned       bool
}

func (f forgery) token(header, claims map[string]any) string {
	merge := func(good, other map[string]any) map[string]any {
		all := maps.Clone(good)
		for name, value := range other {
			if all[name] = value; value == nil {
				delete(all, name)
			}
		}
		return all
	}
	if f.key == "" {
		f.key = secret
	}
	if f.with == nil && !f.unsigned {
		f.with = sha256.New
	}
	return forge(merge(header, f.header), merge(claims, f.claims), f.key, f.with)
}

// forgeries are refused whatever the type of the token.
func forgeries() map[string]forgery {
	type m = map[string]any
	at := now.Unix()
	return map[string]forgery{
		"alg none, unsigned":     {header: m{"alg": "none"}, unsigned: true},
		"alg none, no kid":       {header: m{"alg": "none", "kid": nil}, unsigned: true},
		"alg NONE":               {header: m{"alg": "NONE"}, unsigned: true},
		"unsigned":               {unsigned: true},
		"alg HS512":              {header: m{"alg": "HS512"}, with: sha512.New},
		"alg HS384":              {header: m{"alg": "HS384"}, with: sha512.New384},
		"alg RS256":              {header: m{"alg": "RS256"}},
		"no alg":                 {header: m{"alg": nil}},
		"another key":            {key: "another key of at least 32 bytes."},
		"another hash":           {with: sha512.New},
		"no kid":                 {header: m{"kid": nil}},
		"empty kid":              {header: m{"kid": ""}},
		"unknown kid":            {header: m{"kid": "0000000000000000"}},
		"kid of another type":    {header: m{"kid": 1}},
		"a key in the header":    {header: m{"kid": nil, "jwk": m{"kty": "oct", "k": base64.RawURLEncoding.EncodeToString([]byte("attacker"))}}, key: "attacker"},
		"crit that nobody knows": {header: m{"crit": []string{"exp2"}, "exp2": 1}},
		"empty crit":             {header: m{"crit": []string{}}},
		"crit b64":               {header: m{"crit": []string{"b64"}, "b64": false}},
		"no typ":                 {header: m{"typ": nil}},
		"typ JWT":                {header: m{"typ": "JWT"}},
		"no exp":                 {claims: m{"exp": nil}},
		"exp as text":            {claims: m{"exp": "never"}},
		"expired":                {claims: m{"exp": at}},
		"expired long ago":       {claims: m{"exp": at - 86400, "iat": at - 90000}},
		"no iat":                 {claims: m{"iat": nil}},
		"iat far ahead":          {claims: m{"iat": at + 32, "exp": at + 60}},
		"not before later":       {claims: m{"nbf": at + 60}},
		"no sub":                 {claims: m{"sub": nil}},
		"no sid":                 {claims: m{"sid": nil}},
		"sid no UUID":            {claims: m{"sid": "1"}},
		"sid no text":            {claims: m{"sid": 1}},
		"no iss":                 {claims: m{"iss": nil}},
		"another iss":            {claims: m{"iss": "parley2"}},
		"no aud":                 {claims: m{"aud": nil}},
		"another aud":            {claims: m{"aud": []string{"other"}}},
	}
}

func garbage(good string) map[string]string {
	parts := strings.Split(good, ".")
	return map[string]string{
		"empty": "", "a word": "token", "dots": "..", "two parts": parts[0] + "." + parts[1], "four parts": good + ".x",
		"a space": " " + good, "no signature": parts[0] + "." + parts[1] + ".", "changed claims": parts[0] + "." + parts[1] + "A." + parts[2],
		"JSON form": `{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}]}`,
		"flat JSON": `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
	}
}

func TestNoForgedAccessTokenGetsIn(t *testing.T) {
	t.Parallel()
	made := maker(t, nil)
	s := session(made.KeyID())
	header := map[string]any{"alg": "HS256", "kid": made.KeyID(), "typ": "at+jwt"}
	claims := map[string]any{
		"iss": "parley", "aud": []string{"parley"}, "sub": s.UserID.String(), "sid": s.ID.String(),
		"workspace_id": s.WorkspaceID.String(), "iat": now.Unix(), "exp": now.Unix() + 900,
	}
	want := callctx.Principal{WorkspaceID: s.WorkspaceID, UserID: s.UserID, SessionID: s.ID}
	for name, good := range map[string]forgery{
		"as we make it":    {},
		"clock ahead":      {claims: map[string]any{"iat": now.Unix() + 30}},
		"a day":            {claims: map[string]any{"exp": now.Unix() + 86400}},
		"aud without list": {claims: map[string]any{"aud": "parley"}},
	} {
		p, err := made.Authenticate(t.Context(), good.token(header, claims))
		require.NoError(t, err, name)
		require.Equal(t, want, p, name)
	}
	type m = map[string]any
	all := forgeries()
	maps.Copy(all, map[string]forgery{
		"a refresh token's typ": {header: m{"typ": "rt+jwt"}},
		"no workspace":          {claims: m{"workspace_id": nil}},
		"workspace no UUID":     {claims: m{"workspace_id": "1"}},
		"workspace zero":        {claims: m{"workspace_id": uuid.Nil.String()}},
		"sub no UUID":           {claims: m{"sub": "ada"}},
		"sub zero":              {claims: m{"sub": uuid.Nil.String()}},
		"sid zero":              {claims: m{"sid": uuid.Nil.String()}}, // would be taken for settled work
		"longer than a day":     {claims: m{"exp": now.Unix() + 86401}},
		"for ever":              {claims: m{"exp": int64(1) << 40}},
	})
	for name, f := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := made.Authenticate(t.Context(), f.token(header, claims))
			require.ErrorIs(t, err, fail.ErrUnauthorized)
			require.Equal(t, fail.Unauthenticated, fail.From(err).Kind)
			require.Equal(t, callctx.Principal{}, p)
		})
	}
	for name, text := range garbage(forgery{}.token(header, claims)) {
		_, err := made.Authenticate(t.Context(), text)
		require.ErrorIs(t, err, fail.ErrUnauthorized, name)
	}
}

func TestNoForgedRefreshTokenIsRead(t *testing.T) {
	t.Parallel()
	made := maker(t, nil)
	s := session(made.KeyID())
	header := map[string]any{"alg": "HS256", "kid": made.KeyID(), "typ": "rt+jwt"}
	claims := map[string]any{
		"iss": "parley", "aud": []string{"parley"}, "sub": s.UserID.String(), "sid": s.ID.String(),
		"gen": 3, "iat": now.Unix(), "exp": now.Unix() + 900,
	}
	read, err := made.ReadRefresh(forgery{}.token(header, claims))
	require.NoError(t, err)
	require.Equal(t, ports.RefreshClaims{SessionID: s.ID, UserID: s.UserID, Generation: 3}, read, "of the release before, which names no workspace")
	claims["workspace_id"] = s.WorkspaceID.String()
	read, err = made.ReadRefresh(forgery{}.token(header, claims))
	require.NoError(t, err)
	require.Equal(t, ports.RefreshClaims{SessionID: s.ID, UserID: s.UserID, Generation: 3, WorkspaceID: s.WorkspaceID}, read)
	type m = map[string]any
	all := forgeries()
	maps.Copy(all, map[string]forgery{
		"an access token's typ": {header: m{"typ": "at+jwt"}},
		"no generation":         {claims: m{"gen": nil}},
		"generation as text":    {claims: m{"gen": "3"}},
		"generation and a half": {claims: m{"gen": 3.5}},
		"workspace no UUID":     {claims: m{"workspace_id": "1"}},
		"workspace no text":     {claims: m{"workspace_id": 1}},
		"workspace zero":        {claims: m{"workspace_id": uuid.Nil.String()}},
	})
	for name, f := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := made.ReadRefresh(f.token(header, claims))
			require.ErrorIs(t, err, ports.ErrBadRefreshToken)
		})
	}
	for name, text := range garbage(forgery{}.token(header, claims)) {
		_, err := made.ReadRefresh(text)
		require.ErrorIs(t, err, ports.ErrBadRefreshToken, name)
	}
}

func TestOneKindOfTokenIsNoGoodAsTheOther(t *testing.T) {
	t.Parallel()
	made := maker(t, nil)
	s := session(made.KeyID())
	pair, err := made.Pair(s)
	require.NoError(t, err)
	p, err := made.Authenticate(t.Context(), pair.Access)
	require.NoError(t, err)
	require.Equal(t, callctx.Principal{WorkspaceID: s.WorkspaceID, UserID: s.UserID, SessionID: s.ID}, p)
	read, err := made.ReadRefresh(pair.Refresh)
	require.NoError(t, err)
	require.Equal(t, ports.RefreshClaims{SessionID: s.ID, UserID: s.UserID, Generation: 1, WorkspaceID: s.WorkspaceID}, read)
	require.Equal(t, 900, pair.ExpiresIn)

	_, err = made.Authenticate(t.Context(), pair.Refresh)
	require.ErrorIs(t, err, fail.ErrUnauthorized)
	_, err = made.ReadRefresh(pair.Access)
	require.ErrorIs(t, err, ports.ErrBadRefreshToken)
}

func TestTheTokensOfASessionWithoutAWorkspaceSaySo(t *testing.T) {
	t.Parallel()
	made := maker(t, nil)
	s := domain.NewSession(uuid.Nil, uuid.New(), made.KeyID(), domain.Client{}, 14*24*time.Hour, now)
	pair, err := made.Pair(s)
	require.NoError(t, err)
	for _, token := range []string{pair.Access, pair.Refresh} {
		raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		require.NoError(t, err)
		require.Contains(t, string(raw), `"workspace_id":null`)
	}
	p, err := made.Authenticate(t.Context(), pair.Access)
	require.NoError(t, err)
	require.Equal(t, callctx.Principal{UserID: s.UserID, SessionID: s.ID}, p)
	read, err := made.ReadRefresh(pair.Refresh)
	require.NoError(t, err)
	require.Equal(t, ports.RefreshClaims{SessionID: s.ID, UserID: s.UserID, Generation: 1, WithoutWorkspace: true}, read)
}

func TestATokenThatWasVerifiedOnceStillExpires(t *testing.T) {
	t.Parallel()
	clock := now
	made := maker(t, func(o *tokens.Options) { o.Now = func() time.Time { return clock } })
	s := session(made.KeyID())
	pair, err := made.Pair(s)
	require.NoError(t, err)
	expires := now.Truncate(time.Second).Add(15 * time.Minute)
	for _, clock = range []time.Time{now, now.Add(time.Minute), expires.Add(-time.Nanosecond)} {
		p, err := made.Authenticate(t.Context(), pair.Access)
		require.NoError(t, err)
		require.Equal(t, s.ID, p.SessionID)
	}
	clock = expires
	_, err = made.Authenticate(t.Context(), pair.Access)
	require.ErrorIs(t, err, fail.ErrUnauthorized)
}

func TestTokensOfAnotherInstallationAreRefused(t *testing.T) {
	t.Parallel()
	made := maker(t, nil)
	for name, change := range map[string]func(*tokens.Options){
		"another secret": func(o *tokens.Options) { o.Secret = "another secret of 32 bytes or more" },
		"another issuer": func(o *tokens.Options) { o.Issuer = "other" },
	} {
		other := maker(t, change)
		pair, err := other.Pair(session(other.KeyID()))
		require.NoError(t, err)
		_, err = made.Authenticate(t.Context(), pair.Access)
		require.ErrorIs(t, err, fail.ErrUnauthorized, name)
		_, err = made.ReadRefresh(pair.Refresh)
		require.ErrorIs(t, err, ports.ErrBadRefreshToken, name)
	}
}

// A lost answer is given again: the refresh token is made from the row as Postgres keeps it, to the microsecond and
// in whatever zone, at another time.
func TestARefreshTokenIsMadeAgainByteForByte(t *testing.T) {
	t.Parallel()
	first := maker(t, nil)
	s := session(first.KeyID())
	before, err := first.Pair(s)
	require.NoError(t, err)
	later := maker(t, func(o *tokens.Options) { o.Now = func() time.Time { return now.Add(7 * time.Second) } })
	for _, moment := range []*time.Time{&s.RotatedAt, &s.IdleExpiresAt, &s.ExpiresAt, &s.CreatedAt} {
		*moment = moment.Truncate(time.Microsecond).In(time.FixedZone("x", 3600))
	}
	after, err := later.Pair(s)
	require.NoError(t, err)
	require.Equal(t, before.Refresh, after.Refresh)
	require.NotEqual(t, before.Access, after.Access, "the access token is new")
	s.WorkspaceTokenGeneration--
	without, err := later.Pair(s)
	require.NoError(t, err)
	require.NotEqual(t, before.Refresh, without.Refresh, "one of a release that did not name the workspace")
	read, err := later.ReadRefresh(without.Refresh)
	require.NoError(t, err)
	require.Zero(t, read.WorkspaceID)
	s.Generation++
	other, err := later.Pair(s)
	require.NoError(t, err)
	require.NotEqual(t, before.Refresh, other.Refresh)
}

func TestASessionOfAKeyThatIsGoneGetsNoTokens(t *testing.T) {
	t.Parallel()
	_, err := maker(t, nil).Pair(session("gone"))
	require.ErrorIs(t, err, ports.ErrBadRefreshToken)
}
