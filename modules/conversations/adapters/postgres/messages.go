package postgres

import (
	"context"
	"fmt"
	"math"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/postgres"
)

// Messages implements ports.Threads. A message has the feedback of the caller.
func (t *Threads) Messages(ctx context.Context, thread uuid.UUID, from ports.Reading, limit int) ([]domain.Message, error) {
	rows, err := t.messageRows(ctx, thread, from, limit)
	if err != nil {
		return nil, fmt.Errorf("list the messages: %w", err)
	}
	if len(rows) == 0 { // an empty thread, or none
		if _, err := t.Get(ctx, thread); err != nil {
			return nil, err
		}
	}
	list := make([]domain.Message, len(rows))
	for i, row := range rows {
		list[i] = domain.Message{
			ID: row.ID, ThreadID: row.ThreadID, Seq: row.Seq, Role: domain.Role(row.Role), Content: row.Content,
			OperationID: row.OperationID, CreatedAt: row.CreatedAt, Cancelled: row.Status == string(domain.TurnCancelled),
		}
		if row.RatedAt != nil {
			list[i].Feedback = &domain.Feedback{Rating: domain.Rating(*row.Rating), Comment: *row.Comment, At: *row.RatedAt}
		}
	}
	return list, nil
}

func (t *Threads) messageRows(ctx context.Context, thread uuid.UUID, from ports.Reading, limit int) ([]conversationsdb.ListMessagesRow, error) {
	q, workspace := queries(ctx, t.db)
	user := call.From(ctx).Principal.UserID
	if !from.Backwards {
		params := conversationsdb.ListMessagesParams{WorkspaceID: workspace, ThreadID: thread, UserID: user, Count: int32(limit)}
		if from.After != nil {
			params.After = from.After.Seq
		}
		return q.ListMessages(ctx, params)
	}
	params := conversationsdb.ListMessagesBackwardsParams{
		WorkspaceID: workspace, ThreadID: thread, UserID: user, Before: math.MaxInt64, Count: int32(limit),
	}
	if from.After != nil {
		params.Before = from.After.Seq
	}
	found, err := q.ListMessagesBackwards(ctx, params)
	rows := make([]conversationsdb.ListMessagesRow, len(found))
	for i, row := range found {
		rows[i] = conversationsdb.ListMessagesRow(row)
	}
	return rows, err
}

// Rate implements ports.Opinions.
func (t *Threads) Rate(ctx context.Context, o domain.Opinion) (domain.Message, error) {
	q, workspace := queries(ctx, t.db)
	row, err := q.RateMessage(ctx, conversationsdb.RateMessageParams{
		WorkspaceID: workspace, ID: o.MessageID, UserID: o.UserID, Rating: string(o.Rating), Comment: o.Comment, At: o.At,
	})
	switch {
	case postgres.IsMissing(err):
		return domain.Message{}, ports.ErrMessageNotFound
	case err != nil:
		return domain.Message{}, fmt.Errorf("store the feedback: %w", err)
	case row.RatedAt == nil:
		return domain.Message{}, ports.ErrNoAnswer
	}
	return domain.Message{
		ID: row.ID, ThreadID: row.ThreadID, Seq: row.Seq, Role: domain.Role(row.Role), Content: row.Content,
		OperationID: row.OperationID, CreatedAt: row.CreatedAt, Cancelled: row.Status == string(domain.TurnCancelled),
		Feedback: &domain.Feedback{Rating: o.Rating, Comment: o.Comment, At: *row.RatedAt},
	}, nil
}
