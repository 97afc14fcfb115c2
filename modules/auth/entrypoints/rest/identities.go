package rest

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

// ListIdentities lists what signs in to the caller's account.
func (s Server) ListIdentities(ctx context.Context, _ ListIdentitiesRequestObject) (ListIdentitiesResponseObject, error) {
	if _, err := s.Users.Profile(ctx); err != nil { // the session must still be valid
		return nil, err
	}
	list, err := s.SignIn.Identities.List(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string]string{} // by issuer
	for _, p := range s.SignIn.Providers.List() {
		names[p.Issuer] = p.Name
	}
	return ListIdentities200JSONResponse{Items: page.Map(list, func(i domain.Identity) Identity {
		one := Identity{ID: i.ID, Provider: i.Provider, Email: i.Email, CreatedAt: i.CreatedAt, UsedAt: i.UsedAt}
		if name, ok := names[i.Issuer]; ok {
			one.ProviderName = &name
		}
		return one
	})}, nil
}

// UnlinkIdentity removes an identity of the caller. Without a workspace it is not stored as an operation, because operations
// belong to workspaces.
func (s Server) UnlinkIdentity(ctx context.Context, r UnlinkIdentityRequestObject) (UnlinkIdentityResponseObject, error) {
	p := callctx.From(ctx).Principal
	if p.WorkspaceID == uuid.Nil {
		if _, err := s.Users.Profile(ctx); err != nil { // the session must still be valid
			return nil, err
		}
		return UnlinkIdentity204Response{}, s.SignIn.Unlink.Do(ctx, p.UserID, r.IdentityID)
	}
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		return command.Outcome{
			Answer: UnlinkIdentity204Response{}.VisitUnlinkIdentityResponse,
			Audit:  audit.Entry{Action: "identity.unlink", Resource: "user", ResourceID: p.UserID},
		}, s.SignIn.Unlink.Do(ctx, p.UserID, r.IdentityID)
	})
	return stored{answer}, err
}
