// Package rest serves the calls of auth: it decodes a request, calls one use case, and encodes the response.
package rest

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/request/page"
)

// Server serves the calls of auth. It has the methods of the generated StrictServerInterface.
type Server struct {
	RegisterUser   usecases.RegisterUser
	LogIn          usecases.LogIn
	RefreshSession usecases.RefreshSession
	LogOut         usecases.LogOut
	EndOwn         usecases.EndSession
	OwnAccount     OwnAccount
	Passwords      usecases.ChangePassword
	Recover        usecases.RecoverPassword
	Verify         usecases.VerifyEmail
	SignIn         SignIn
	Factors        FactorCalls
	Email          usecases.ChangeEmail
	First          usecases.SetUp
	Workspaces     Workspaces
	Members        Members
	Invitations    Invitations
	EndUsers       EndUsers
	Keys           Keys
	Users          ports.Users
	Sessions       ports.Sessions
	OwnSessions    ports.OwnSessions
	Events         ports.AccountEvents
	Commands       *command.Pipeline
	Cursors        page.Key
}

// Mount adds the routes.
func (s Server) Mount(e *echo.Echo) {
	RegisterHandlers(e, NewStrictHandler(s, []StrictMiddlewareFunc{withCookies}))
}

// Register creates an account and its first workspace.
func (s Server) Register(ctx context.Context, r RegisterRequestObject) (RegisterResponseObject, error) {
	grant, err := s.RegisterUser.Do(ctx, usecases.Registration{
		Email:         r.Body.Email,
		Password:      r.Body.Password,
		WorkspaceName: r.Body.WorkspaceName,
		OperationID:   callctx.From(ctx).Operation.ID,
		DeviceToken:   callctx.From(ctx).DeviceToken,
		Client:        client(ctx),
		Language:      callctx.From(ctx).AcceptLanguage,
	})
	return Register201JSONResponse{TokenPairJSONResponse(pair(grant))}, err
}

// Login starts a session.
func (s Server) Login(ctx context.Context, r LoginRequestObject) (LoginResponseObject, error) {
	in := usecases.Credentials{Email: r.Body.Email, Password: r.Body.Password, DeviceToken: callctx.From(ctx).DeviceToken, Client: client(ctx)}
	if r.Body.WorkspaceID != nil {
		in.Workspace = *r.Body.WorkspaceID
	}
	grant, err := s.LogIn.Do(ctx, in)
	return Login200JSONResponse{TokenPairJSONResponse(pair(grant))}, err
}

// Refresh exchanges a refresh token for new tokens.
func (s Server) Refresh(ctx context.Context, r RefreshRequestObject) (RefreshResponseObject, error) {
	grant, err := s.RefreshSession.Do(ctx, r.Body.RefreshToken)
	return Refresh200JSONResponse{TokenPairJSONResponse(pair(grant))}, err
}

// Logout ends the session of the call. The session is stored in the workspace in which it was opened, whichever
// workspace the call names.
func (s Server) Logout(ctx context.Context, _ LogoutRequestObject) (LogoutResponseObject, error) {
	p := callctx.From(ctx).Principal
	if p.HomeID == uuid.Nil {
		return s.logoutWithoutWorkspace(ctx, p)
	}
	if p.WorkspaceID != p.HomeID { // the named workspace must still be one of the caller's
		if _, err := s.Users.Profile(ctx); err != nil {
			return nil, err
		}
	}
	answer, err := s.Commands.Run(callctx.InHomeWorkspace(ctx), func(ctx context.Context) (command.Outcome, error) {
		return command.Outcome{
			Answer: Logout204Response{}.VisitLogoutResponse,
			Audit:  audit.Entry{Action: "session.close", Resource: "session", ResourceID: p.SessionID},
		}, s.LogOut.Do(ctx, p.UserID, p.SessionID)
	})
	if errors.Is(err, ports.ErrSessionNotFound) { // another call ended the session after this one was authenticated
		err = fail.ErrUnauthorized
	}
	return stored{answer}, err
}

// logoutWithoutWorkspace ends a session in no workspace. The call is not stored as an operation, because operations
// belong to workspaces. A repetition finds the session ended, as any other call does.
func (s Server) logoutWithoutWorkspace(ctx context.Context, p callctx.Principal) (LogoutResponseObject, error) {
	err := s.LogOut.WithoutWorkspace(ctx, p.UserID, p.SessionID)
	if errors.Is(err, ports.ErrSessionNotFound) {
		err = fail.ErrUnauthorized
	}
	return Logout204Response{}, err
}

// GetMe returns the caller with its memberships.
func (s Server) GetMe(ctx context.Context, _ GetMeRequestObject) (GetMeResponseObject, error) {
	p, err := s.Users.Profile(ctx)
	me := GetMe200JSONResponse{
		UserID:        p.UserID,
		Email:         p.Email,
		EmailVerified: p.Proof != domain.NoProof, EmailProof: EmailProof(p.Proof),
		HasPassword: p.HasPassword,
		Memberships: page.Map(p.Memberships, toMembership),
		SessionID:   callctx.From(ctx).Principal.SessionID,
		CreatedAt:   p.CreatedAt,
	}
	if p.WorkspaceID != uuid.Nil {
		me.WorkspaceID, me.WorkspaceName, me.Role = &p.WorkspaceID, &p.WorkspaceName, new(Role(p.Role))
	}
	return me, err
}

func client(ctx context.Context) domain.Client {
	c := callctx.From(ctx)
	return domain.Client{IP: c.IP, UserAgent: c.UserAgent}
}

func pair(g usecases.Grant) TokenPair {
	var device *string
	if g.DeviceToken != "" {
		device = &g.DeviceToken
	}
	var workspace *uuid.UUID
	if g.Session.WorkspaceID != uuid.Nil {
		workspace = &g.Session.WorkspaceID
	}
	return TokenPair{
		DeviceToken:  device,
		AccessToken:  g.Tokens.Access,
		RefreshToken: g.Tokens.Refresh,
		TokenType:    Bearer,
		ExpiresIn:    int32(g.Tokens.ExpiresIn),
		UserID:       g.Session.UserID,
		WorkspaceID:  workspace,
	}
}
