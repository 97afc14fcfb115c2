package rest

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

// OwnAccount has what the calls of a user about its own account need.
type OwnAccount struct {
	Delete usecases.DeleteAccount
	Data   ports.OwnData
	Now    func() time.Time
}

// DeleteMe deletes the account of the caller. A repetition finds the session ended, as any other call does.
func (s Server) DeleteMe(ctx context.Context, r DeleteMeRequestObject) (DeleteMeResponseObject, error) {
	p, password := callctx.From(ctx).Principal, ""
	if r.Body.Password != nil {
		password = *r.Body.Password
	}
	leaving, err := s.OwnAccount.Delete.Prepare(ctx, p.UserID, password)
	if err != nil {
		return nil, err
	}
	if p.WorkspaceID == uuid.Nil {
		return DeleteMe204Response{}, s.OwnAccount.Delete.WithoutWorkspace(ctx, p.UserID, leaving)
	}
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		return command.Outcome{
			Answer: DeleteMe204Response{}.VisitDeleteMeResponse,
			Audit:  audit.Entry{Action: "user.delete", Resource: "user", ResourceID: p.UserID},
		}, s.OwnAccount.Delete.Do(ctx, p.UserID, leaving)
	})
	return stored{answer}, err
}

// ExportMe returns what is stored about the caller.
func (s Server) ExportMe(ctx context.Context, r ExportMeRequestObject) (ExportMeResponseObject, error) {
	actions, err := page.List[domain.OwnAction, ports.SessionPosition]{
		Name: "own actions", Filter: callctx.From(ctx).Principal.UserID.String(),
		Read:     s.OwnAccount.Data.Actions,
		Position: func(a domain.OwnAction) ports.SessionPosition { return ports.SessionPosition{At: a.At, ID: a.ID} },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	data, err := s.OwnAccount.Data.Account(ctx)
	if err != nil {
		return nil, err
	}
	return ExportMe200JSONResponse{
		ExportedAt: s.OwnAccount.Now(),
		Account: ExportedAccount{
			UserID: data.User.ID, Email: data.User.Email, EmailVerifiedAt: data.User.VerifiedAt, CreatedAt: data.User.CreatedAt,
		},
		Identities:  page.Map(data.Identities, toExportedIdentity),
		Workspaces:  page.Map(data.Workspaces, toWorkspace),
		Sessions:    page.Map(data.Sessions, toExportedSession),
		Devices:     page.Map(data.Devices, toExportedDevice),
		Invitations: page.Map(data.Invitations, toExportedInvitation),
		Actions:     page.Map(actions.Items, toExportedAction),
		HasMore:     actions.HasMore,
		NextCursor:  actions.NextCursor,
	}, nil
}

func toExportedIdentity(i domain.Identity) ExportedIdentity {
	return ExportedIdentity{Provider: i.Provider, Issuer: i.Issuer, Subject: i.Subject, Email: i.Email, CreatedAt: i.CreatedAt, UsedAt: i.UsedAt}
}

func toExportedSession(d domain.Session) ExportedSession {
	session := ExportedSession{
		ID: d.ID, WorkspaceID: known(d.WorkspaceID), CreatedAt: d.CreatedAt, RefreshedAt: d.RotatedAt, ExpiresAt: d.IdleExpiresAt, EndedAt: d.RevokedAt,
		Device: d.Client.Agent().String(), IP: addressOf(d.Client.IP), UserAgent: d.Client.UserAgent,
	}
	if d.Client.IP.IsValid() {
		session.Network = new(d.Client.Network())
	}
	return session
}

func toExportedDevice(d domain.KnownDevice) ExportedDevice {
	return ExportedDevice{Device: d.Device, Network: d.Network, FirstSeenAt: d.FirstSeen, LastSeenAt: d.LastSeen}
}

func toExportedInvitation(i domain.OwnInvitation) ExportedInvitation {
	return ExportedInvitation{
		ID: i.ID, WorkspaceID: i.WorkspaceID, WorkspaceName: i.WorkspaceName, Email: i.Email, Role: Role(i.Role), CreatedAt: i.CreatedAt,
		ExpiresAt: i.ExpiresAt, AcceptedAt: i.AcceptedAt, RevokedAt: i.RevokedAt,
	}
}

func toExportedAction(a domain.OwnAction) ExportedAction {
	return ExportedAction{
		ID: a.ID, WorkspaceID: known(a.WorkspaceID), Action: a.Action, Reason: filled(a.Reason), ResourceType: filled(a.ResourceType),
		ResourceID: known(a.ResourceID), OperationID: known(a.OperationID), TraceID: a.TraceID, Changes: a.Changes, IP: addressOf(a.IP),
		UserAgent: a.UserAgent, CreatedAt: a.At,
	}
}

// filled returns nil for an empty text.
func filled(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
