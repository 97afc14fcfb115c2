package rest

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/command"
	"github.com/parley/parley/platform/page"
)

// maxLeft is how many resources the response to the removal of a member lists at most.
const maxLeft = 100

// LogoutAll ends all sessions of the caller but the call's own.
func (s Server) LogoutAll(ctx context.Context, _ LogoutAllRequestObject) (LogoutAllResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		p := call.From(ctx).Principal
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
	prepared, err := s.Passwords.Prepare(ctx, call.From(ctx).Principal.UserID, r.Body.CurrentPassword, r.Body.NewPassword)
	if err != nil {
		if answer, seen, again := s.Commands.Seen(ctx); again == nil && seen {
			return stored{answer}, nil // the first call has taken effect in the meantime
		}
		return nil, err
	}
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		p := call.From(ctx).Principal
		return command.Outcome{
			Answer: ChangePassword204Response{}.VisitChangePasswordResponse,
			Audit:  audit.Entry{Action: "user.change_password", Resource: "user", ResourceID: p.UserID},
		}, s.Passwords.Do(ctx, p.UserID, p.SessionID, prepared)
	})
	return stored{answer}, err
}

// ListSessions lists the open sessions of the caller, newest first.
func (s Server) ListSessions(ctx context.Context, r ListSessionsRequestObject) (ListSessionsResponseObject, error) {
	p, err := page.List[domain.Session, ports.SessionPosition]{
		Name: "sessions", Filter: call.From(ctx).Principal.UserID.String(),
		Read:     s.Sessions.List,
		Position: func(d domain.Session) ports.SessionPosition { return ports.SessionPosition{At: d.CreatedAt, ID: d.ID} },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	current := call.From(ctx).Principal.SessionID
	return ListSessions200JSONResponse{Items: page.Map(p.Items, func(d domain.Session) Session { return toSession(d, current) }), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

// EndSession ends a session of the caller.
func (s Server) EndSession(ctx context.Context, r EndSessionRequestObject) (EndSessionResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		return command.Outcome{
			Answer: EndSession204Response{}.VisitEndSessionResponse,
			Audit:  audit.Entry{Action: "session.close", Resource: "session", ResourceID: r.SessionID},
		}, s.LogOut.Do(ctx, call.From(ctx).Principal.UserID, r.SessionID)
	})
	return stored{answer}, err
}

func toSession(d domain.Session, current uuid.UUID) Session {
	session := Session{
		ID: d.ID, Current: d.ID == current, CreatedAt: d.CreatedAt, RefreshedAt: d.RotatedAt, ExpiresAt: d.IdleExpiresAt,
		UserAgent: d.Client.UserAgent,
	}
	if d.Client.IP.IsValid() {
		ip := d.Client.IP.String()
		session.IP = &ip
	}
	return session
}
