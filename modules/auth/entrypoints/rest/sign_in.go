package rest

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/page"
)

// SignIn has the use cases of sign-in at identity providers.
type SignIn struct {
	Providers  ports.IdentityProviders
	Begin      usecases.BeginSignIn
	Finish     usecases.FinishSignIn
	Exchange   usecases.ExchangeSignIn
	Identities ports.Identities
	Unlink     usecases.UnlinkIdentity
	Secure     bool // browsers reach the API by https
}

// The cookies in which a browser keeps the sign-ins that it has begun: one for each of the last few, because people open
// several tabs.
const (
	signInCookie  = "parley_oidc_"
	signInCookies = 3
	signInPath    = "/v1/auth/oidc"
)

type cookiesKey struct{}

// withCookies passes the cookies of sign-ins to the calls that need them.
func withCookies(next StrictHandlerFunc, operation string) StrictHandlerFunc {
	if operation != "StartSignIn" && operation != "FinishSignIn" && operation != "ExchangeSignIn" {
		return next
	}
	return func(c *echo.Context, request any) (any, error) {
		req := c.Request()
		c.SetRequest(req.WithContext(context.WithValue(req.Context(), cookiesKey{}, req.Cookies())))
		return next(c, request)
	}
}

// kept returns the values of the cookies of sign-ins, by their names.
func (s SignIn) kept(ctx context.Context) map[string]string {
	cookies, _ := ctx.Value(cookiesKey{}).([]*http.Cookie)
	kept := map[string]string{}
	for _, c := range cookies {
		if strings.HasPrefix(c.Name, s.cookieName()) {
			kept[c.Name] = c.Value
		}
	}
	return kept
}

// values are kept without the names.
func (s SignIn) values(ctx context.Context) []string {
	var values []string
	for _, value := range s.kept(ctx) {
		values = append(values, value)
	}
	return values
}

// cookieName returns what the names of the cookies begin with. With the prefix __Host- no other host, such as a neighbor in
// the same domain, can set them (RFC 6265bis, 4.1.3.2).
func (s SignIn) cookieName() string {
	if s.Secure {
		return "__Host-" + signInCookie
	}
	return signInCookie
}

// cookie returns the cookie with what a browser has to keep. It takes the place of none while there is room.
func (s SignIn) cookie(ctx context.Context, value string) *http.Cookie {
	kept, slot := s.kept(ctx), rand.IntN(signInCookies) //nolint:gosec // which of them is no secret
	for i := range signInCookies {
		if _, taken := kept[s.cookieName()+strconv.Itoa(i)]; !taken {
			slot = i
			break
		}
	}
	cookie := &http.Cookie{ //nolint:gosec // Secure where the address is https: http is of one machine in development
		Name: s.cookieName() + strconv.Itoa(slot), Value: value, Path: signInPath, MaxAge: int(domain.SignInLife.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.Secure,
	}
	if s.Secure {
		cookie.Path = "/" // as __Host- wants it
	}
	return cookie
}

// ListIdentityProviders lists the identity providers.
func (s Server) ListIdentityProviders(context.Context, ListIdentityProvidersRequestObject) (ListIdentityProvidersResponseObject, error) {
	return ListIdentityProviders200JSONResponse{Items: page.Map(s.SignIn.Providers.List(), func(p domain.IdentityProvider) IdentityProvider {
		return IdentityProvider{ID: p.ID, Name: p.Name, StartPath: signInPath + "/" + p.ID + "/start"}
	})}, nil
}

// StartSignIn sends a browser to an identity provider.
func (s Server) StartSignIn(ctx context.Context, r StartSignInRequestObject) (StartSignInResponseObject, error) {
	address, kept, err := s.SignIn.Begin.Do(ctx, r.Provider, r.Params.ReturnTo, text(r.Params.CodeChallenge))
	if err != nil {
		return nil, err
	}
	return StartSignIn302Response{Headers: StartSignIn302ResponseHeaders{
		Location: &address, SetCookie: new(s.SignIn.cookie(ctx, kept).String()),
	}}, nil
}

// FinishSignIn takes the answer of an identity provider.
func (s Server) FinishSignIn(ctx context.Context, r FinishSignInRequestObject) (FinishSignInResponseObject, error) {
	address, err := s.SignIn.Finish.Do(ctx, usecases.ProviderAnswer{
		Provider: r.Provider, State: r.Params.State, Code: text(r.Params.Code), Issuer: text(r.Params.Iss), Refusal: text(r.Params.Error),
		Kept: s.SignIn.values(ctx),
	})
	if err != nil {
		return nil, err
	}
	return FinishSignIn302Response{Headers: FinishSignIn302ResponseHeaders{Location: &address}}, nil
}

// ExchangeSignIn opens a session for the code of a sign-in.
func (s Server) ExchangeSignIn(ctx context.Context, r ExchangeSignInRequestObject) (ExchangeSignInResponseObject, error) {
	grant, err := s.SignIn.Exchange.Do(ctx, usecases.SignInExchange{
		Code: r.Body.Code, Verifier: text(r.Body.CodeVerifier), Kept: s.SignIn.values(ctx), OperationID: callctx.From(ctx).Operation.ID, Client: client(ctx),
		Language: callctx.From(ctx).AcceptLanguage,
	})
	return ExchangeSignIn200JSONResponse{TokenPairJSONResponse(pair(grant))}, err
}

// text returns an optional text; "" for none.
func text(given *string) string {
	if given == nil {
		return ""
	}
	return *given
}
