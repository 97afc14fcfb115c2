package oidc

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/work/resilience"
)

// Bounds of what a provider says about a person.
const (
	maxSubject = 255 // characters (OpenID Connect Core 1.0, section 2)
	maxEmail   = 320 // characters
)

// Redeem changes the code of a provider's answer for what it says about the person, and checks that.
func (p *Providers) Redeem(ctx context.Context, s domain.SignIn, code, issuer string) (domain.Assertion, error) {
	one, known, err := p.ready(ctx, s.Provider)
	if err != nil {
		return domain.Assertion{}, err
	}
	if issuer != "" && issuer != one.Issuer {
		return domain.Assertion{}, failed(fmt.Errorf("the answer is of another issuer than %s", one.Issuer))
	}
	if issuer == "" && known.namesItself {
		return domain.Assertion{}, failed(fmt.Errorf("the answer does not name %s, which names itself in each", one.Issuer))
	}
	var assertion domain.Assertion
	err = p.guard.Do(oidc.ClientContext(ctx, p.client), one.ID, func(ctx context.Context) (err error) {
		assertion, err = one.redeem(ctx, p.clientOf(one, known), known, s, code)
		return err
	})
	switch {
	case err == nil:
		return assertion, nil
	case errors.Is(err, ports.ErrSignInFailed):
		return domain.Assertion{}, err
	default:
		return domain.Assertion{}, unavailable(err)
	}
}

// failed returns the error for an answer that is not valid. It shows that the provider works.
func failed(cause error) error { return resilience.Answered(ports.ErrSignInFailed.Because(cause)) }

// redeem asks for the tokens and reads what they say.
func (one *provider) redeem(ctx context.Context, client *oauth2.Config, known *metadata, s domain.SignIn, code string) (domain.Assertion, error) {
	tokens, err := client.Exchange(ctx, code, oauth2.VerifierOption(s.Verifier))
	if err != nil {
		return domain.Assertion{}, tokenFailure(err)
	}
	raw, ok := tokens.Extra("id_token").(string)
	if !ok {
		return domain.Assertion{}, failed(errors.New("there is no ID token"))
	}
	token, err := known.Verifier(&oidc.Config{ClientID: one.ClientID}).Verify(ctx, raw)
	if err != nil {
		return domain.Assertion{}, failed(fmt.Errorf("verify the ID token: %w", err))
	}
	claims := map[string]any{}
	if err := token.Claims(&claims); err != nil {
		return domain.Assertion{}, failed(fmt.Errorf("read the ID token: %w", err))
	}
	if err := check(token, claims, one.ClientID, s.Nonce, tokens.AccessToken); err != nil {
		return domain.Assertion{}, failed(err)
	}
	if one.lacks(claims) && known.UserInfoEndpoint() != "" {
		if err := addUserInfo(ctx, known, tokens, token.Subject, claims); err != nil {
			return domain.Assertion{}, err
		}
	}
	return one.assertion(token.Subject, claims), nil
}

// tokenFailure returns the error for tokens that were not given. It has nothing of the answer but its status and code.
func tokenFailure(err error) error {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok || refused.Response == nil {
		return fmt.Errorf("ask for tokens: %w", clip(err))
	}
	status := refused.Response.StatusCode
	err = clip(fmt.Errorf("the provider gives no tokens: %d %s", status, refused.ErrorCode))
	if status >= http.StatusInternalServerError || status == http.StatusTooManyRequests {
		return err
	}
	return failed(err)
}

// check checks what go-oidc leaves to its callers (OpenID Connect Core 1.0, section 3.1.3.7).
func check(token *oidc.IDToken, claims map[string]any, client, nonce, access string) error {
	party, named := claims["azp"].(string)
	switch {
	case !hmac.Equal([]byte(token.Nonce), []byte(nonce)):
		return errors.New("the ID token has another nonce")
	case len(token.Audience) > 1 && !named, named && party != client:
		return errors.New("the ID token was issued to another client")
	case token.Subject == "" || len(token.Subject) > maxSubject:
		return errors.New("the ID token has no subject, or one that is too long")
	case token.IssuedAt.IsZero():
		return errors.New("the ID token does not say when it was issued")
	case token.AccessTokenHash != "":
		return token.VerifyAccessToken(access)
	}
	return nil
}

// lacks reports whether claims lack what sign-ins need, so that the provider is asked for more.
func (one *provider) lacks(claims map[string]any) bool {
	_, email := claims["email"]
	_, verified := claims[one.VerifiedClaim]
	_, groups := claims[one.GroupsClaim]
	return !email || !verified || one.GroupsClaim != "" && !groups
}

// addUserInfo adds what the UserInfo endpoint says about the same person. What the ID token says goes before it.
func addUserInfo(ctx context.Context, known *metadata, tokens *oauth2.Token, subject string, claims map[string]any) error {
	info, err := known.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return fmt.Errorf("ask for what the provider knows about the person: %w", clip(err))
	}
	more := map[string]any{}
	if err := info.Claims(&more); err != nil || info.Subject != subject {
		return failed(errors.New("the UserInfo endpoint does not speak of the same person"))
	}
	for name, value := range more {
		if _, has := claims[name]; !has {
			claims[name] = value
		}
	}
	return nil
}

// assertion makes what use cases know of the claims.
func (one *provider) assertion(subject string, claims map[string]any) domain.Assertion {
	a := domain.Assertion{Provider: one.ID, Issuer: one.Issuer, Subject: subject, EmailVerified: isTrue(claims[one.VerifiedClaim])}
	if email, ok := claims["email"].(string); ok && len(email) <= maxEmail {
		a.Email = email
	}
	if value, ok := claims[one.GroupsClaim]; ok && one.GroupsClaim != "" {
		a.Groups = []string{}
		for _, name := range namesOf(value) {
			if slices.ContainsFunc(one.Roles, func(r domain.GroupRole) bool { return r.Group == name }) && !slices.Contains(a.Groups, name) {
				a.Groups = append(a.Groups, name)
			}
		}
	}
	return a
}

// isTrue reports whether a claim says yes: some providers send it as a text or a number.
func isTrue(value any) bool {
	switch v := value.(type) {
	case bool:
		return v
	case string:
		return v == "true" || v == "1"
	case float64:
		return v == 1
	}
	return false
}

// namesOf returns the texts of a claim, which is a list or a single text.
func namesOf(value any) (names []string) {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	for _, item := range list {
		if name, ok := item.(string); ok {
			names = append(names, name)
		}
	}
	return names
}
