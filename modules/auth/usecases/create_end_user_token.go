package usecases

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// CreateEndUserToken makes a token with which an end user chats with one bot.
type CreateEndUserToken struct {
	EndUsers ports.EndUsers
	Tokens   ports.EndUserTokens
	Now      func() time.Time
}

// NewEndUserToken is the input of CreateEndUserToken.
type NewEndUserToken struct {
	EndUser ports.EndUserWanted
	BotID   uuid.UUID
	Life    time.Duration
	Origins []string
}

// Do makes the token for the API key that makes the call. It returns what the token says, and its text, which is not stored.
func (u CreateEndUserToken) Do(ctx context.Context, in NewEndUserToken) (t domain.EndUserToken, text string, err error) {
	origins, wrong := []string{}, []fail.Field{}
	for i, origin := range in.Origins {
		normal, err := domain.NewOrigin(origin)
		if err != nil {
			wrong = append(wrong, fail.Field{Field: fmt.Sprintf("origins.%d", i), Code: "INVALID", Message: err.Error()})
		}
		if !slices.Contains(origins, normal) {
			origins = append(origins, normal)
		}
	}
	if in.EndUser.ID != nil && in.EndUser.ExternalID != nil {
		wrong = append(wrong, fail.Field{Field: "end_user_id", Code: "INVALID", Message: "must be left out where external_id names the end user"})
	}
	if in.EndUser.Metadata != nil {
		if err := domain.CheckEndUserMetadata(in.EndUser.Metadata); err != nil {
			wrong = append(wrong, fail.Field{Field: "metadata", Code: "INVALID", Message: err.Error()})
		}
	}
	if err := fail.Fields(wrong...); err != nil {
		return t, "", err
	}
	p, now := callctx.From(ctx).Principal, u.Now()
	id, turns, err := u.EndUsers.Put(ctx, in.EndUser, in.BotID, now)
	if err != nil {
		return t, "", err
	}
	t = domain.EndUserToken{
		WorkspaceID: p.WorkspaceID, EndUserID: id, KeyID: p.KeyID, BotID: in.BotID, Origins: origins, Turns: turns,
		IssuedAt: now, ExpiresAt: now.Add(min(in.Life, domain.MaxEndUserTokenLife)),
	}
	text, err = u.Tokens.EndUser(t)
	return t, text, err
}
