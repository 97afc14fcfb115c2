package rest

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

// EndUsers has what the calls about end users need.
type EndUsers struct {
	CreateToken usecases.CreateEndUserToken
	Delete      usecases.DeleteEndUser
	Store       ports.EndUsers
	Merges      ports.EndUserMerges
}

// defaultTokenLife is how long the token of an end user is valid where the call says nothing.
const defaultTokenLife = 15 * time.Minute

// CreateEndUserToken makes a token for an end user. The answer shows it.
func (s Server) CreateEndUserToken(ctx context.Context, r CreateEndUserTokenRequestObject) (CreateEndUserTokenResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		in := usecases.NewEndUserToken{
			BotID: r.Body.BotID, Life: defaultTokenLife,
			EndUser: ports.EndUserWanted{ID: r.Body.EndUserID, ExternalID: r.Body.ExternalID, Name: r.Body.Name, Metadata: r.Body.Metadata},
		}
		if r.Body.ExpiresIn != nil {
			in.Life = time.Duration(*r.Body.ExpiresIn) * time.Second
		}
		if r.Body.Origins != nil {
			in.Origins = *r.Body.Origins
		}
		if r.Body.Limits != nil {
			in.EndUser.Turns = new(toTurnLimits(*r.Body.Limits))
		}
		token, text, err := s.EndUsers.CreateToken.Do(ctx, in)
		return command.Outcome{
			Answer: CreateEndUserToken201JSONResponse{Token: text, ExpiresAt: token.ExpiresAt, EndUserID: token.EndUserID}.VisitCreateEndUserTokenResponse,
			Audit: audit.Entry{Action: "end_user_token.create", Resource: "end_user", ResourceID: token.EndUserID, Changes: map[string]any{
				"bot_id": token.BotID, "expires_at": token.ExpiresAt, "origins": token.Origins, "limits": token.Turns,
			}},
			Secret: true,
		}, err
	})
	return stored{answer}, err
}

// ListEndUsers lists the end users of the workspace, newest first.
func (s Server) ListEndUsers(ctx context.Context, r ListEndUsersRequestObject) (ListEndUsersResponseObject, error) {
	filter := ""
	if r.Params.ExternalID != nil {
		filter = *r.Params.ExternalID
	}
	if r.Params.Bot != nil {
		filter = r.Params.Bot.String() + " " + filter
	}
	p, err := page.List[domain.EndUser, page.IDPosition]{
		Name: "end users", Filter: filter, Size: func(u domain.EndUser) int { return len(u.Name) + len(u.Metadata) },
		Read: func(ctx context.Context, after *page.IDPosition, limit int) ([]domain.EndUser, error) {
			return s.EndUsers.Store.List(ctx, ports.EndUserFilter{ExternalID: r.Params.ExternalID, BotID: r.Params.Bot}, after.Before(), limit)
		},
		Position: func(u domain.EndUser) page.IDPosition { return page.IDPosition{ID: u.ID} },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListEndUsers200JSONResponse{Items: page.Map(p.Items, toEndUser), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

func (s Server) GetEndUser(ctx context.Context, r GetEndUserRequestObject) (GetEndUserResponseObject, error) {
	u, err := s.EndUsers.Store.Get(ctx, r.EndUserID)
	return GetEndUser200JSONResponse(toEndUser(u)), err
}

// RevokeEndUser ends the tokens of an end user, for good.
func (s Server) RevokeEndUser(ctx context.Context, r RevokeEndUserRequestObject) (RevokeEndUserResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		u, err := s.EndUsers.Store.Revoke(ctx, r.EndUserID)
		return command.Outcome{
			Answer:   RevokeEndUser200JSONResponse(toEndUser(u)).VisitRevokeEndUserResponse,
			Audit:    endUserEntry("end_user.revoke", r.EndUserID),
			Erasable: true,
		}, err
	})
	return stored{answer}, err
}

// MergeEndUser makes an anonymous end user known.
func (s Server) MergeEndUser(ctx context.Context, r MergeEndUserRequestObject) (MergeEndUserResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		u, err := s.EndUsers.Merges.Merge(ctx, r.EndUserID, r.Body.ExternalID)
		entry := endUserEntry("end_user.merge", u.ID)
		entry.Changes = map[string]any{"merged_id": r.EndUserID}
		return command.Outcome{
			Answer:   MergeEndUser200JSONResponse(toEndUser(u)).VisitMergeEndUserResponse,
			Audit:    entry,
			Erasable: true,
		}, err
	})
	return stored{answer}, err
}

// DeleteEndUser deletes an end user with everything that it has said.
func (s Server) DeleteEndUser(ctx context.Context, r DeleteEndUserRequestObject) (DeleteEndUserResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		return command.Outcome{
			Answer: DeleteEndUser204Response{}.VisitDeleteEndUserResponse,
			Audit:  endUserEntry("end_user.delete", r.EndUserID),
		}, s.EndUsers.Delete.Do(ctx, r.EndUserID)
	})
	return stored{answer}, err
}

func endUserEntry(action string, id uuid.UUID) audit.Entry {
	return audit.Entry{Action: action, Resource: "end_user", ResourceID: id}
}

func toTurnLimits(l EndUserLimits) (limits domain.TurnLimits) {
	if l.TurnsPerMinute != nil {
		limits.Minute = *l.TurnsPerMinute
	}
	if l.TurnsPerDay != nil {
		limits.Day = *l.TurnsPerDay
	}
	return limits
}

func toEndUser(u domain.EndUser) EndUser {
	return EndUser{
		ID: u.ID, ExternalID: u.ExternalID, Name: u.Name, Metadata: u.Metadata, CreatedAt: u.CreatedAt, LastTokenAt: u.LastTokenAt, RevokedAt: u.RevokedAt,
	}
}
