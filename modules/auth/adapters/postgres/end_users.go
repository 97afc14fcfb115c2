package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/callctx"
)

// EndUsers stores end users.
type EndUsers struct {
	db    *postgres.DB
	quota quota
}

var (
	_ ports.EndUsers         = (*EndUsers)(nil)
	_ ports.EndUserDeletions = (*EndUsers)(nil)
	_ ports.EndUserMerges    = (*EndUsers)(nil)
)

// NewEndUsers makes EndUsers.
func NewEndUsers(db *postgres.DB, q quota) *EndUsers { return &EndUsers{db, q} }

func (s *EndUsers) Put(ctx context.Context, w ports.EndUserWanted, bot uuid.UUID, now time.Time) (uuid.UUID, domain.TurnLimits, error) {
	q, workspace := authdb.New(s.db.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
	n, err := q.CountBots(ctx, authdb.CountBotsParams{WorkspaceID: workspace, Bots: []uuid.UUID{bot}})
	if err != nil {
		return uuid.Nil, domain.TurnLimits{}, fmt.Errorf("look for the bot of a token: %w", err)
	}
	if n != 1 {
		return uuid.Nil, domain.TurnLimits{}, ports.ErrBotNotFound
	}
	var limits json.RawMessage // null: those that are stored stay
	if w.Turns != nil {
		if limits, err = json.Marshal(*w.Turns); err != nil {
			return uuid.Nil, domain.TurnLimits{}, fmt.Errorf("encode the limits of an end user: %w", err)
		}
	}
	u, err := s.renew(ctx, q, w, limits, now)
	if postgres.IsMissing(err) && w.ID == nil {
		u, err = s.create(ctx, q, w, limits, now)
	}
	switch {
	case postgres.IsMissing(err):
		return uuid.Nil, domain.TurnLimits{}, ports.ErrEndUserNotFound
	case err != nil:
		return uuid.Nil, domain.TurnLimits{}, fmt.Errorf("put an end user: %w", err)
	case u.RevokedAt != nil:
		return uuid.Nil, domain.TurnLimits{}, ports.ErrEndUserRevoked
	}
	turns, err := turnsOf(w, u.TurnLimits)
	if err != nil {
		return uuid.Nil, turns, err
	}
	return u.ID, turns, q.NoteBotOfEndUser(ctx, authdb.NoteBotOfEndUserParams{WorkspaceID: workspace, EndUserID: u.ID, BotID: bot})
}

// turnsOf returns the limits of a token: those that it names, else those that are stored.
func turnsOf(w ports.EndUserWanted, stored json.RawMessage) (turns domain.TurnLimits, err error) {
	if w.Turns != nil {
		return *w.Turns, nil
	}
	if err := json.Unmarshal(stored, &turns); err != nil {
		return turns, fmt.Errorf("decode the limits of an end user: %w", err)
	}
	return turns, nil
}

// renew finds the end user that is wanted and notes that it gets another token. The error is one of IsMissing where there is none.
func (s *EndUsers) renew(ctx context.Context, q *authdb.Queries, w ports.EndUserWanted, limits json.RawMessage, now time.Time) (authdb.RenewEndUserRow, error) {
	workspace := callctx.From(ctx).Principal.WorkspaceID
	switch {
	case w.ExternalID != nil:
		row, err := q.RenewKnownEndUser(ctx, authdb.RenewKnownEndUserParams{
			WorkspaceID: workspace, ExternalID: *w.ExternalID, Name: w.Name, Metadata: w.Metadata, TurnLimits: limits, Now: now,
		})
		return authdb.RenewEndUserRow(row), err
	case w.ID != nil:
		return q.RenewEndUser(ctx, authdb.RenewEndUserParams{
			WorkspaceID: workspace, ID: *w.ID, Name: w.Name, Metadata: w.Metadata, TurnLimits: limits, Now: now,
		})
	}
	return authdb.RenewEndUserRow{}, pgx.ErrNoRows
}

// create makes an end user, where the limit of the workspace allows one more.
func (s *EndUsers) create(ctx context.Context, q *authdb.Queries, w ports.EndUserWanted, limits json.RawMessage, now time.Time) (authdb.RenewEndUserRow, error) {
	workspace, id := callctx.From(ctx).Principal.WorkspaceID, uuid.Must(uuid.NewV7())
	if err := s.quota.Reserve(ctx, usage.EndUsers); err != nil {
		return authdb.RenewEndUserRow{}, err
	}
	if w.ExternalID == nil {
		err := q.PutAnonymousEndUser(ctx, authdb.PutAnonymousEndUserParams{
			WorkspaceID: workspace, ID: id, Name: w.Name, Metadata: w.Metadata, TurnLimits: limits, Now: now,
		})
		return authdb.RenewEndUserRow{ID: id, TurnLimits: json.RawMessage(`{}`)}, err
	}
	row, err := q.PutEndUser(ctx, authdb.PutEndUserParams{
		WorkspaceID: workspace, ID: id, ExternalID: *w.ExternalID, Name: w.Name, Metadata: w.Metadata, TurnLimits: limits, Now: now,
	})
	return authdb.RenewEndUserRow(row), err
}

func (s *EndUsers) Get(ctx context.Context, id uuid.UUID) (domain.EndUser, error) {
	row, err := authdb.New(s.db.In(ctx)).GetEndUser(ctx, authdb.GetEndUserParams{WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, ID: id})
	if postgres.IsMissing(err) {
		return domain.EndUser{}, ports.ErrEndUserNotFound
	}
	if err != nil {
		return domain.EndUser{}, fmt.Errorf("read an end user: %w", err)
	}
	return domain.EndUser(row), nil
}

func (s *EndUsers) List(ctx context.Context, f ports.EndUserFilter, before *uuid.UUID, limit int) (list []domain.EndUser, err error) {
	q, workspace := authdb.New(s.db.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
	switch {
	case f.ExternalID != nil && before != nil: // there is one at most, on the first page
	case f.ExternalID != nil:
		list, err = endUsers(q.FindEndUser(ctx, authdb.FindEndUserParams{WorkspaceID: workspace, ExternalID: *f.ExternalID, BotID: f.BotID}))
	case f.BotID != nil:
		list, err = endUsers(q.ListEndUsersOfBot(ctx, authdb.ListEndUsersOfBotParams{
			WorkspaceID: workspace, BotID: *f.BotID, Before: before, Count: int32(limit),
		}))
	default:
		list, err = endUsers(q.ListEndUsers(ctx, authdb.ListEndUsersParams{WorkspaceID: workspace, Before: before, Count: int32(limit)}))
	}
	if err != nil {
		return nil, fmt.Errorf("list the end users: %w", err)
	}
	return list, nil
}

// endUsers maps the rows of the lists of end users.
func endUsers[T authdb.FindEndUserRow | authdb.ListEndUsersRow | authdb.ListEndUsersOfBotRow](rows []T, err error) ([]domain.EndUser, error) {
	list := make([]domain.EndUser, len(rows))
	for i, row := range rows {
		list[i] = domain.EndUser(row)
	}
	return list, err
}

func (s *EndUsers) Revoke(ctx context.Context, id uuid.UUID) (domain.EndUser, error) {
	row, err := authdb.New(s.db.In(ctx)).RevokeEndUser(ctx, authdb.RevokeEndUserParams{WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, ID: id})
	if postgres.IsMissing(err) {
		return domain.EndUser{}, ports.ErrEndUserNotFound
	}
	if err != nil {
		return domain.EndUser{}, fmt.Errorf("revoke an end user: %w", err)
	}
	return domain.EndUser(row), nil
}

func (s *EndUsers) Merge(ctx context.Context, anonymous uuid.UUID, externalID string) (domain.EndUser, error) {
	row, err := authdb.New(s.db.In(ctx)).MergeEndUser(ctx, authdb.MergeEndUserParams{ID: anonymous, ExternalID: externalID})
	switch {
	case postgres.IsMissing(err):
		return domain.EndUser{}, ports.ErrEndUserNotFound
	case err != nil:
		return domain.EndUser{}, fmt.Errorf("merge an end user: %w", err)
	case row.Refused:
		return domain.EndUser{}, ports.ErrEndUserRevoked
	}
	return s.Get(ctx, row.Known)
}

func (s *EndUsers) Delete(ctx context.Context, id uuid.UUID) error {
	_, err := authdb.New(s.db.In(ctx)).DeleteEndUser(ctx, authdb.DeleteEndUserParams{WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, ID: id})
	if postgres.IsMissing(err) {
		return ports.ErrEndUserNotFound
	}
	if err != nil {
		return fmt.Errorf("delete an end user: %w", err)
	}
	return nil
}

func (s *EndUsers) Erase(ctx context.Context, id uuid.UUID) error {
	q, workspace := authdb.New(s.db.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
	if err := q.RemoveCountsOfCaller(ctx, authdb.RemoveCountsOfCallerParams{WorkspaceID: workspace, ID: id}); err != nil {
		return err
	}
	return q.EraseEndUser(ctx, id)
}

// Anonymous end users that are removed.
const (
	silentLife = domain.MaxEndUserTokenLife + 24*time.Hour // since the last token was made, where no thread was opened
	// silentSeen bounds what Expire looks at: what is older has been looked at every hour for a month, and has threads.
	silentSeen   = 30 * 24 * time.Hour
	silentAtOnce = 500
)

// Expire removes anonymous end users that have opened no thread, a day after their last token has expired.
func (s *EndUsers) Expire(ctx context.Context, now time.Time) error {
	before := now.Add(-silentLife)
	after, last := before.Add(-silentSeen), uuid.Nil
	for {
		rows, err := authdb.New(s.db.In(ctx)).LocateSilentEndUsers(ctx, authdb.LocateSilentEndUsersParams{
			Since: before.Add(-silentSeen), Before: before, AfterAt: after, AfterID: last, MaxRows: silentAtOnce,
		})
		if err != nil {
			return fmt.Errorf("look for anonymous end users: %w", err)
		}
		of := map[uuid.UUID][]uuid.UUID{}
		for _, row := range rows {
			of[row.WorkspaceID] = append(of[row.WorkspaceID], row.EndUserID)
			after, last = row.LastTokenAt, row.EndUserID
		}
		for workspace, ids := range of {
			err := s.db.Write(callctx.As(ctx, workspace, uuid.Nil), func(ctx context.Context) error {
				return authdb.New(s.db.In(ctx)).RemoveSilentEndUsers(ctx, authdb.RemoveSilentEndUsersParams{WorkspaceID: workspace, Ids: ids, Before: before})
			})
			if err != nil {
				return fmt.Errorf("remove anonymous end users: %w", err)
			}
		}
		if len(rows) < silentAtOnce {
			return nil
		}
	}
}
