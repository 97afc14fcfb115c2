// Package tokens makes and checks the JWTs of sessions: HS256 (RFC 7518) with a key named by kid, of type at+jwt for
// access (RFC 9068) and rt+jwt for refresh. Nothing is left to the library's defaults, which are lenient.
package tokens

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	cache "github.com/go-pkgz/expirable-cache/v3"
	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

const (
	typeAccess  = "at+jwt"
	typeRefresh = "rt+jwt"
	typeEndUser = "eu+jwt"
	// maxAccessLife is the longest life of an access token that is believed, whatever ACCESS_TTL was when it was made.
	maxAccessLife = 24 * time.Hour
	clockSkew     = 30 * time.Second // how far an iat may lie ahead

	claimSession    = "sid"
	claimWorkspace  = "workspace_id"
	claimGeneration = "gen"
	claimKey        = "key_id"
	claimBot        = "bot_id"
	claimOrigins    = "origins"
	claimLimits     = "limits"

	endUserAudience = "/end-users" // behind the issuer, for tokens of end users
)

// Format is a regular expression for access and refresh tokens: a JWS in compact form, whose header is a JSON object.
const Format = `eyJ[\w-]*\.[\w-]+\.[\w-]*`

// Options are the settings of New.
type Options struct {
	Secret    string   // signs and verifies
	Previous  []string // only verify, so that Secret can be changed while tokens are about
	Issuer    string   // iss and aud
	AccessTTL time.Duration
	Now       func() time.Time
}

// Tokens makes and verifies the tokens of sessions, and authenticates calls for the gateway. It caches the access
// tokens that it has verified last, because verifying costs more than the rest of a quick call. The claims of a token
// never change; its expiry is checked each time.
type Tokens struct {
	keyID     string
	keys      jwk.Set // by kid
	issuer    string
	accessTTL time.Duration
	now       func() time.Time
	verified  cache.Cache[[sha256.Size]byte, access] // by the hash of the token, which is a secret
}

// access is what a verified access token says.
type access struct {
	principal callctx.Principal
	expires   time.Time
}

const rememberedTokens = 10_000 // some 2 MB

// New makes Tokens.
func New(o Options) (*Tokens, error) {
	t := &Tokens{
		keys: jwk.NewSet(), issuer: o.Issuer, accessTTL: o.AccessTTL, now: o.Now,
		verified: cache.NewCache[[sha256.Size]byte, access]().WithLRU().WithMaxKeys(rememberedTokens),
	}
	for _, secret := range o.Previous {
		if _, err := t.add(secret); err != nil {
			return nil, err
		}
	}
	var err error
	if t.keyID, err = t.add(o.Secret); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Tokens) add(secret string) (kid string, err error) {
	key, err := jwk.Import([]byte(secret))
	if err != nil {
		return "", fmt.Errorf("take JWT_SECRET as a key: %w", err)
	}
	sum := sha256.Sum256([]byte("parley/kid/" + secret))
	kid = hex.EncodeToString(sum[:8])
	for name, value := range map[string]any{jwk.KeyIDKey: kid, jwk.AlgorithmKey: jwa.HS256(), jwk.KeyUsageKey: jwk.ForSignature} {
		if err := key.Set(name, value); err != nil {
			return "", fmt.Errorf("take JWT_SECRET as a key: %w", err)
		}
	}
	if _, known := t.keys.LookupKeyID(kid); known {
		return kid, nil
	}
	return kid, t.keys.AddKey(key)
}

func (t *Tokens) KeyID() string { return t.keyID }

func (t *Tokens) Pair(s domain.Session) (ports.Pair, error) {
	now := t.now()
	access, err := t.sign(t.keyID, typeAccess, jwt.NewBuilder().
		Subject(s.UserID.String()).
		Claim(claimSession, s.ID.String()).
		Claim(claimWorkspace, orNull(s.WorkspaceID)).
		IssuedAt(now).Expiration(now.Add(t.accessTTL)))
	if err != nil {
		return ports.Pair{}, err
	}
	claims := jwt.NewBuilder().
		Subject(s.UserID.String()).
		Claim(claimSession, s.ID.String()).
		Claim(claimGeneration, s.Generation).
		IssuedAt(s.RotatedAt).Expiration(s.IdleExpiresAt)
	if s.WorkspaceID == uuid.Nil || s.TokenNamesWorkspace() {
		claims = claims.Claim(claimWorkspace, orNull(s.WorkspaceID))
	}
	refresh, err := t.sign(s.KeyID, typeRefresh, claims)
	if err != nil {
		return ports.Pair{}, err
	}
	return ports.Pair{Access: access, Refresh: refresh, ExpiresIn: int(t.accessTTL.Seconds())}, nil
}

func (t *Tokens) sign(kid, typ string, b *jwt.Builder) (string, error) {
	return t.signFor(t.issuer, kid, typ, b)
}

func (t *Tokens) signFor(audience, kid, typ string, b *jwt.Builder) (string, error) {
	key, ok := t.keys.LookupKeyID(kid)
	if !ok {
		return "", ports.ErrBadRefreshToken // its session was signed by a secret that is no longer configured
	}
	token, err := b.Issuer(t.issuer).Audience([]string{audience}).Build()
	if err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	headers := jws.NewHeaders()
	if err := headers.Set(jws.TypeKey, typ); err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	signed, err := jwt.Sign(token, jwt.WithKey(jwa.HS256(), key, jws.WithProtectedHeaders(headers)))
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return string(signed), nil
}

// Authenticate returns the principal of an access token or a token of an end user, or fail.ErrUnauthorized.
func (t *Tokens) Authenticate(_ context.Context, token string) (callctx.Principal, error) {
	hash := sha256.Sum256([]byte(token))
	if a, ok := t.verified.Get(hash); ok && t.now().Before(a.expires) {
		return a.principal, nil
	}
	a, err := t.verify(token)
	if err != nil {
		return a.principal, err
	}
	t.verified.Add(hash, a)
	return a.principal, nil
}

func (t *Tokens) verify(token string) (a access, err error) {
	if typeOf(token) == typeEndUser {
		return t.verifyEndUser(token)
	}
	parsed, err := t.parse(token, t.issuer, typeAccess, claimSession, claimWorkspace)
	if err != nil {
		return access{}, fail.ErrUnauthorized.Because(err)
	}
	issued, _ := parsed.IssuedAt() // required, so it is there
	expires, _ := parsed.Expiration()
	if expires.Sub(issued) > maxAccessLife {
		return access{}, fail.ErrUnauthorized
	}
	p := &a.principal
	subject, _ := parsed.Subject()
	for _, id := range []struct {
		text string
		into *uuid.UUID
	}{{subject, &p.UserID}, {text(parsed, claimSession), &p.SessionID}, {text(parsed, claimWorkspace), &p.WorkspaceID}} {
		if id.into == &p.WorkspaceID && isNull(parsed, claimWorkspace) {
			continue // the user is in none
		}
		if *id.into, err = uuid.Parse(id.text); err != nil || *id.into == uuid.Nil {
			return access{}, fail.ErrUnauthorized
		}
	}
	a.expires = expires
	return a, nil
}

func (t *Tokens) ReadRefresh(token string) (ports.RefreshClaims, error) {
	parsed, err := t.parse(token, t.issuer, typeRefresh, claimSession, claimGeneration)
	if err != nil {
		return ports.RefreshClaims{}, ports.ErrBadRefreshToken.Because(err)
	}
	var number float64
	if err := parsed.Get(claimGeneration, &number); err != nil || number != math.Trunc(number) {
		return ports.RefreshClaims{}, ports.ErrBadRefreshToken.Because(err)
	}
	claims := ports.RefreshClaims{Generation: int(number), WithoutWorkspace: isNull(parsed, claimWorkspace)}
	if parsed.Has(claimWorkspace) && !claims.WithoutWorkspace {
		if claims.WorkspaceID, err = uuid.Parse(text(parsed, claimWorkspace)); err != nil || claims.WorkspaceID == uuid.Nil {
			return ports.RefreshClaims{}, ports.ErrBadRefreshToken.Because(err)
		}
	}
	if claims.SessionID, err = uuid.Parse(text(parsed, claimSession)); err != nil {
		return ports.RefreshClaims{}, ports.ErrBadRefreshToken.Because(err)
	}
	subject, _ := parsed.Subject() // required, so it is there
	if claims.UserID, err = uuid.Parse(subject); err != nil {
		return ports.RefreshClaims{}, ports.ErrBadRefreshToken.Because(err)
	}
	return claims, nil
}

// parse checks everything that makes a token one of ours, valid now, and of this type.
func (t *Tokens) parse(token, audience, typ string, required ...string) (jwt.Token, error) {
	for part := range strings.SplitSeq(token, ".") { // the library encodes what it decoded once more before it compares
		if raw, err := base64.RawURLEncoding.DecodeString(part); err != nil || base64.RawURLEncoding.EncodeToString(raw) != part {
			return nil, errors.New("a part is not spelled as RFC 7515 wants it")
		}
	}
	message := jws.NewMessage()
	payload, err := jws.Verify([]byte(token),
		jws.WithKeySet(t.keys, jws.WithRequireKid(true), jws.WithInferAlgorithmFromKey(false)),
		jws.WithCompact(), jws.WithCritValidation(true), jws.WithMessage(message))
	if err != nil {
		return nil, err
	}
	header := message.Signatures()[0].ProtectedHeaders()
	if alg, _ := header.Algorithm(); alg != jwa.HS256() { // Verify goes by the key and does not look
		return nil, fmt.Errorf("alg is %q", alg)
	}
	if got, _ := header.Type(); got != typ {
		return nil, fmt.Errorf("typ is %q, not %q", got, typ)
	}
	parsed, err := jwt.ParseInsecure(payload) // its signature has been verified just now
	if err != nil {
		return nil, err
	}
	options := []jwt.ValidateOption{
		jwt.WithResetValidators(true), // for the one of iat, which allows no clock to be ahead
		jwt.WithValidator(jwt.IsExpirationValid()),
		jwt.WithValidator(jwt.IsNbfValid()),
		jwt.WithValidator(jwt.ValidatorFunc(t.notFromTheFuture)),
		jwt.WithIssuer(t.issuer),
		jwt.WithAudience(audience),
		jwt.WithRequiredClaim(jwt.ExpirationKey),
		jwt.WithRequiredClaim(jwt.IssuedAtKey),
		jwt.WithRequiredClaim(jwt.SubjectKey),
		jwt.WithClock(jwt.ClockFunc(t.now)),
	}
	for _, claim := range required {
		options = append(options, jwt.WithRequiredClaim(claim))
	}
	return parsed, jwt.Validate(parsed, options...)
}

func (t *Tokens) notFromTheFuture(_ context.Context, token jwt.Token) error {
	if issued, _ := token.IssuedAt(); issued.After(t.now().Add(clockSkew)) {
		return errors.New("iat lies in the future")
	}
	return nil
}

func text(t jwt.Token, claim string) (s string) {
	_ = t.Get(claim, &s) // absent or not a string: empty, which is no UUID
	return s
}

// orNull returns an id as a claim; null for the zero id.
func orNull(id uuid.UUID) any {
	if id == uuid.Nil {
		return nil
	}
	return id.String()
}

// isNull reports whether a claim is present and null. Null is the one value that the library does not assign to any.
func isNull(t jwt.Token, claim string) bool {
	var value any
	return t.Has(claim) && t.Get(claim, &value) != nil
}
