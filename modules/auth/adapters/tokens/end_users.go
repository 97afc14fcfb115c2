package tokens

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// EndUser returns the text of a token of an end user. Its type and audience are its own: it is never taken for an access token, nor
// the other way round.
func (t *Tokens) EndUser(token domain.EndUserToken) (string, error) {
	return t.signFor(t.issuer+endUserAudience, t.keyID, typeEndUser, jwt.NewBuilder().
		Subject(token.EndUserID.String()).
		Claim(claimWorkspace, token.WorkspaceID.String()).
		Claim(claimKey, token.KeyID.String()).
		Claim(claimBot, token.BotID.String()).
		Claim(claimOrigins, token.Origins).
		Claim(claimLimits, token.Turns).
		IssuedAt(token.IssuedAt).Expiration(token.ExpiresAt))
}

// verifyEndUser returns what a token of an end user says, or fail.ErrUnauthorized.
func (t *Tokens) verifyEndUser(token string) (a access, err error) {
	parsed, err := t.parse(token, t.issuer+endUserAudience, typeEndUser, claimWorkspace, claimKey, claimBot, claimOrigins)
	if errors.Is(err, jwt.TokenExpiredError()) { // it is ours, and its page may read that it has expired
		a.principal.EndUser = &callctx.EndUser{Origins: originsOf(parsed)}
	}
	if err != nil {
		return a, fail.ErrUnauthorized.Because(err)
	}
	issued, _ := parsed.IssuedAt() // required, so it is there
	expires, _ := parsed.Expiration()
	if expires.Sub(issued) > domain.MaxEndUserTokenLife {
		return access{}, fail.ErrUnauthorized
	}
	subject, _ := parsed.Subject()
	p, who := &a.principal, &callctx.EndUser{}
	for _, id := range []struct {
		text string
		into *uuid.UUID
	}{{subject, &p.UserID}, {text(parsed, claimWorkspace), &p.WorkspaceID}, {text(parsed, claimKey), &who.KeyID}, {text(parsed, claimBot), &who.BotID}} {
		if *id.into, err = uuid.Parse(id.text); err != nil || *id.into == uuid.Nil {
			return access{}, fail.ErrUnauthorized
		}
	}
	who.Origins, who.Turns = originsOf(parsed), limitsOf(parsed)
	p.SessionID, p.EndUser, p.Own, a.expires = p.UserID, who, true, expires
	return a, nil
}

// originsOf returns the origins that a token names.
func originsOf(t jwt.Token) (origins []string) {
	var list []any // as JSON is decoded
	_ = t.Get(claimOrigins, &list)
	for _, origin := range list {
		if text, ok := origin.(string); ok {
			origins = append(origins, text)
		}
	}
	return origins
}

// limitsOf returns the limits that a token names; one of before has none.
func limitsOf(t jwt.Token) (l callctx.TurnLimits) {
	var claim map[string]any // as JSON is decoded
	_ = t.Get(claimLimits, &claim)
	for name, into := range map[string]*int{"minute": &l.Minute, "day": &l.Day} {
		if n, ok := claim[name].(float64); ok {
			*into = int(n)
		}
	}
	return l
}

// typeOf returns the type that a token says of itself, before anything of it is verified; "" where it says none.
func typeOf(token string) string {
	head, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	var header struct {
		Type string `json:"typ"`
	}
	if err != nil || json.Unmarshal(raw, &header) != nil {
		return ""
	}
	return header.Type
}
