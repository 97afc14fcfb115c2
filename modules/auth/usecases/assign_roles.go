package usecases

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/fail"
)

// AssignRoles gives a user who signs in at an identity provider the roles of its groups there.
type AssignRoles struct {
	Providers    ports.IdentityProviders
	Members      ports.Members
	Joins        ports.Joins
	Authorities  ports.Authorities
	Transactions ports.Transactions
	Audit        ports.MemberAudit
	Log          *slog.Logger
	Now          func() time.Time
}

// Do makes the user a member of each workspace in which one of its groups has a role, or changes its role there. It ends no
// membership, the last owner of a workspace remains one, and where the provider says nothing of groups no role is changed.
// What a workspace does not allow is logged and does not keep the user from signing in.
func (u AssignRoles) Do(ctx context.Context, user uuid.UUID, a domain.Assertion) error {
	all := u.Providers.List()
	at := slices.IndexFunc(all, func(p domain.IdentityProvider) bool { return p.ID == a.Provider })
	if at < 0 {
		return ports.ErrNoProvider
	}
	roles := all[at].RolesOf(a.Groups)
	for _, workspace := range slices.SortedFunc(maps.Keys(roles), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }) {
		err := u.Transactions.As(ctx, workspace, user, func(ctx context.Context) error {
			return u.assign(ctx, user, roles[workspace], a)
		})
		if errors.Is(err, errNoWorkspace) || errors.Is(err, domain.ErrLastOwner) || errors.Is(err, fail.ErrLimitReached) {
			u.Log.WarnContext(ctx, "a role of an identity provider was not given", "provider", a.Provider, "workspace", workspace, "role", roles[workspace], "error", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var errNoWorkspace = errors.New("there is no such workspace, or it is deleted")

// assign gives the user a role in the workspace of the context.
func (u AssignRoles) assign(ctx context.Context, user uuid.UUID, to domain.Role, a domain.Assertion) error {
	open, err := u.Joins.Open(ctx)
	if err != nil {
		return err
	}
	if !open {
		return errNoWorkspace
	}
	team, err := u.Members.Lock(ctx, user)
	if err != nil {
		return err
	}
	before := team[user]
	changes := map[string]any{"provider": a.Provider, "role": map[string]domain.Role{"from": before, "to": to}}
	switch {
	case before == to || before != "" && a.Groups == nil:
		return nil
	case before == "":
		if err := u.Joins.Join(ctx, user, to, u.Now()); err != nil {
			return err
		}
		return u.Audit.Member(ctx, "member.add", user, changes)
	}
	if err := team.Assign(user, to); err != nil {
		return err
	}
	if err := u.Members.ChangeRole(ctx, user, to); err != nil {
		return err
	}
	if before.Above(to) {
		ended, err := u.Authorities.End(ctx, user, domain.AuthorityOf(to))
		if err != nil {
			return err
		}
		changes["ended"] = map[string]int{"invitations": ended.Invitations, "api_keys": ended.Keys, "webhook_subscriptions": ended.Subscriptions}
	}
	return u.Audit.Member(ctx, "member.change_role", user, changes)
}
