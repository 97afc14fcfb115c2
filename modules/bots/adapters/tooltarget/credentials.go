package tooltarget

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	cache "github.com/go-pkgz/expirable-cache/v3"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/webhook"
)

// maxTokens bounds how many access tokens are kept in memory. The one that was used least recently goes.
const maxTokens = 10_000

// Tokens are access tokens that were given for client credentials. They are safe for concurrent use.
type Tokens struct {
	kept cache.Cache[[sha256.Size]byte, *oauth2.Token]
}

// NewTokens returns Tokens without any.
func NewTokens() *Tokens {
	return &Tokens{cache.NewCache[[sha256.Size]byte, *oauth2.Token]().WithLRU().WithMaxKeys(maxTokens)}
}

// Authorize puts credentials into a request.
func (c Client) Authorize(ctx context.Context, request *http.Request, secrets *domain.Credentials) error {
	switch {
	case secrets == nil:
		return nil
	case secrets.Type == domain.HeaderCredentials:
		request.Header.Set(secrets.Name, secrets.Value)
		return nil
	case secrets.Type == domain.BearerCredentials:
		request.Header.Set("Authorization", "Bearer "+secrets.Token)
		return nil
	}
	token, err := c.token(ctx, *secrets)
	if err != nil {
		return err
	}
	token.SetAuthHeader(request)
	return nil
}

// token returns an access token for client credentials. The error names nothing of what the server has answered but its status.
func (c Client) token(ctx context.Context, secrets domain.Credentials) (*oauth2.Token, error) {
	key := tokenKey(ctx, secrets)
	if token, ok := c.Tokens.kept.Get(key); ok && token.Valid() {
		return token, nil
	}
	config := clientcredentials.Config{
		ClientID: secrets.ClientID, ClientSecret: secrets.ClientSecret, TokenURL: secrets.TokenURL, Scopes: strings.Fields(secrets.Scope),
	}
	token, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, c.HTTP))
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.Response != nil {
		return nil, fmt.Errorf("the server of its access tokens answered %d", refused.Response.StatusCode)
	}
	if err != nil {
		return nil, fmt.Errorf("the server of its access tokens: %w", webhook.Why(err))
	}
	c.Tokens.kept.Add(key, token)
	return token, nil
}

// Forget forgets a token that a target has refused.
func (c Client) Forget(ctx context.Context, secrets *domain.Credentials) {
	if secrets != nil && secrets.Type == domain.OAuthCredentials {
		c.Tokens.kept.Invalidate(tokenKey(ctx, *secrets))
	}
}

func tokenKey(ctx context.Context, secrets domain.Credentials) [sha256.Size]byte {
	raw, _ := json.Marshal(secrets) //nolint:gosec // to be hashed; texts: it cannot fail
	workspace := callctx.From(ctx).Principal.WorkspaceID
	return sha256.Sum256(append(workspace[:], raw...))
}
