package rest

import (
	"context"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

// Members has what the calls about members need.
type Members struct {
	ChangeRole  usecases.ChangeRole
	Remove      usecases.RemoveMember
	Store       ports.Members
	Authorities ports.Authorities
}

// ListMembers lists the members of the workspace.
func (s Server) ListMembers(ctx context.Context, r ListMembersRequestObject) (ListMembersResponseObject, error) {
	p, err := page.List[domain.Member, ports.Position]{
		Name:     "members",
		Read:     s.Members.Store.List,
		Position: func(m domain.Member) ports.Position { return ports.Position{At: m.JoinedAt, ID: m.UserID} },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListMembers200JSONResponse{Items: page.Map(p.Items, toMember), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

// ChangeMember changes the role of a member.
func (s Server) ChangeMember(ctx context.Context, r ChangeMemberRequestObject) (ChangeMemberResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		done, err := s.Members.ChangeRole.Do(ctx, usecases.RoleChange{
			By: callctx.From(ctx).Principal.UserID, Who: r.UserID, To: domain.Role(r.Body.Role),
		})
		changes := ended(done.Ended)
		changes["role"] = map[string]domain.Role{"from": done.Before, "to": done.Member.Role}
		return command.Outcome{
			Answer: ChangeMember200JSONResponse(toMember(done.Member)).VisitChangeMemberResponse,
			Audit:  audit.Entry{Action: "member.change_role", Resource: "user", ResourceID: r.UserID, Changes: changes},
		}, err
	})
	return stored{answer}, err
}

// RemoveMember removes a member, and returns the resources that are left for others to adopt or delete.
func (s Server) RemoveMember(ctx context.Context, r RemoveMemberRequestObject) (RemoveMemberResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		done, err := s.Members.Remove.Do(ctx, callctx.From(ctx).Principal.UserID, r.UserID)
		if err != nil {
			return command.Outcome{}, err
		}
		left, err := s.resources(ctx, r.UserID, nil, new(maxLeft))
		return command.Outcome{
			Answer: RemoveMember200JSONResponse(left).VisitRemoveMemberResponse,
			Audit:  audit.Entry{Action: "member.remove", Resource: "user", ResourceID: r.UserID, Changes: ended(done)},
		}, err
	})
	return stored{answer}, err
}

func toMember(m domain.Member) Member {
	return Member{UserID: m.UserID, Email: m.Email, Role: Role(m.Role), JoinedAt: m.JoinedAt}
}
