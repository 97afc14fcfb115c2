package rest

import (
	"context"
	"net/netip"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

// maxLeft is how many resources the response to the removal of a member lists at most.
const maxLeft = 100

// LogoutAll ends all sessions of the caller but the call's own.
func (s Server) LogoutAll(ctx context.Context, _ LogoutAllRequestObject) (LogoutAllResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		p := callctx.From(ctx).Principal
		ended, err := s.Sessions.EndOthers(ctx, p.SessionID)
		return command.Outcome{
			Answer: LogoutAll200JSONResponse{Ended: int32(ended)}.VisitLogoutAllResponse,
			Audit:  audit.Entry{Action: "session.close_others", Resource: "user", ResourceID: p.UserID, Changes: map[string]any{"ended": ended}},
		}, err
	})
	return stored{answer}, err
}

// ChangePassword changes the caller's password.
func (s Server) ChangePassword(ctx context.Context, r ChangePasswordRequestObject) (ChangePasswordResponseObject, error) {
	if answer, seen, err := s.Commands.Seen(ctx); err != nil || seen {
		return stored{answer}, err // the current password of a repetition is no longer the right one
	}
	prepared, err := s.Passwords.Prepare(ctx, callctx.From(ctx).Principal.UserID, r.Body.CurrentPassword, r.Body.NewPassword)
	if err != nil {
		if answer, seen, again := s.Commands.Seen(ctx); again == nil && seen {
			return stored{answer}, nil // the first call has taken effect in the meantime
		}
		return nil, err
	}
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		p := callctx.From(ctx).Principal
		return command.Outcome{
			Answer: ChangePassword204Response{}.VisitChangePasswordResponse,
			Audit:  audit.Entry{Action: "user.change_password", Resource: "user", ResourceID: p.UserID},
		}, s.Passwords.Do(ctx, p.UserID, p.SessionID, prepared, callctx.From(ctx).AcceptLanguage)
	})
	return stored{answer}, err
}

// ListSessions lists the open sessions of the caller in all workspaces and in none, newest first.
func (s Server) ListSessions(ctx context.Context, r ListSessionsRequestObject) (ListSessionsResponseObject, error) {
	p, err := page.List[domain.Session, ports.SessionPosition]{
		Name: "sessions", Filter: callctx.From(ctx).Principal.UserID.String(),
		Read:     s.OwnSessions.List,
		Position: func(d domain.Session) ports.SessionPosition { return ports.SessionPosition{At: d.CreatedAt, ID: d.ID} },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	current := callctx.From(ctx).Principal.SessionID
	return ListSessions200JSONResponse{Items: page.Map(p.Items, func(d domain.Session) Session { return toSession(d, current) }), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

// EndSession ends a session of the caller, in whichever workspace it is.
func (s Server) EndSession(ctx context.Context, r EndSessionRequestObject) (EndSessionResponseObject, error) {
	if callctx.From(ctx).Principal.WorkspaceID == uuid.Nil {
		return EndSession204Response{}, s.withoutWorkspace(ctx, "session.close", func(ctx context.Context) error { return s.EndOwn.Do(ctx, r.SessionID) })
	}
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		return command.Outcome{
			Answer: EndSession204Response{}.VisitEndSessionResponse,
			Audit:  audit.Entry{Action: "session.close", Resource: "session", ResourceID: r.SessionID},
		}, s.EndOwn.Do(ctx, r.SessionID)
	})
	return stored{answer}, err
}

// withoutWorkspace makes a change for a user who is in no workspace, and records it as an event of the account. It is not
// stored as an operation, because operations belong to workspaces.
func (s Server) withoutWorkspace(ctx context.Context, action string, change func(ctx context.Context) error) error {
	if _, err := s.Users.Profile(ctx); err != nil { // the session must still be valid
		return err
	}
	if err := change(ctx); err != nil {
		return err
	}
	return s.Events.Record(ctx, domain.AccountEvent{UserID: callctx.From(ctx).Principal.UserID, Action: action})
}

func toSession(d domain.Session, current uuid.UUID) Session {
	session := Session{
		ID: d.ID, WorkspaceID: known(d.WorkspaceID), Current: d.ID == current, CreatedAt: d.CreatedAt, RefreshedAt: d.RotatedAt, ExpiresAt: d.IdleExpiresAt,
		AuthenticatedAt: d.AuthenticatedAt, Amr: make([]SessionAmr, len(d.Methods)),
		Device: d.Client.Agent().String(), IP: addressOf(d.Client.IP), UserAgent: d.Client.UserAgent,
	}
	for i, method := range d.Methods {
		session.Amr[i] = SessionAmr(method)
	}
	if d.Client.IP.IsValid() {
		session.Network = new(d.Client.Network())
	}
	return session
}

// known returns nil for the zero id.
func known(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// addressOf returns nil for an address that is not known.
func addressOf(ip netip.Addr) *string {
	if !ip.IsValid() {
		return nil
	}
	return new(ip.String())
}
