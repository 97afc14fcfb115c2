package postgres

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/page"
)

// Messages returns messages of a branch with the feedback of the caller. Where their contents have more than page.MaxBytes
// together, it returns as many messages as fit, and one more.
func (t *Threads) Messages(ctx context.Context, thread uuid.UUID, from ports.Reading, limit int) ([]domain.Message, error) {
	query, bound := conversationsdb.ListMessages, int64(0)
	if from.Backwards {
		query, bound = conversationsdb.ListMessagesBackwards, math.MaxInt64
	}
	if from.After != nil {
		bound = from.After.Seq
	}
	p := callctx.From(ctx).Principal
	list, err := t.readMessages(ctx, limit, query, p.WorkspaceID, thread, bound, int32(limit), int64(page.MaxBytes), from.Branch.All, from.Branch.TurnID, p.UserID)
	if err != nil {
		return nil, fmt.Errorf("list the messages: %w", err)
	}
	if len(list) > 0 {
		return list, nil
	}
	return list, TurnViews{DB: t.db}.checkBranch(ctx, thread, from.Branch)
}

// readMessages reads rows directly into messages. It is the most frequent reading of many rows, and the intermediate
// rows of the generated code took a fifth of its processor time.
func (t *Threads) readMessages(ctx context.Context, limit int, query string, args ...any) ([]domain.Message, error) {
	rows, err := t.db.InPipeline(ctx).Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := make([]domain.Message, 0, limit)
	var status string
	var rating, comment *string
	var ratedAt *time.Time
	var citations, attachments []byte
	for rows.Next() {
		list = append(list, domain.Message{})
		m := &list[len(list)-1]
		if err := rows.Scan(&m.ID, &m.ThreadID, &m.TurnID, &m.Seq, (*string)(&m.Role), &m.Content, &m.OperationID, &m.CreatedAt,
			&status, &citations, &m.Structured, &attachments, &rating, &comment, &ratedAt); err != nil {
			return nil, err
		}
		m.Cancelled = status == string(domain.TurnCancelled)
		if m.Citations, err = toCitations(citations); err != nil {
			return nil, err
		}
		if m.Attachments, err = toAttachments(attachments); err != nil {
			return nil, err
		}
		if ratedAt != nil {
			m.Feedback = &domain.Feedback{Rating: domain.Rating(*rating), Comment: *comment, At: *ratedAt}
		}
	}
	return list, rows.Err()
}

func (t *Threads) Rate(ctx context.Context, o domain.Opinion) (domain.Message, error) {
	q, workspace := queries(ctx, t.db)
	row, err := q.RateMessage(ctx, conversationsdb.RateMessageParams{
		WorkspaceID: workspace, ID: o.MessageID, UserID: o.UserID, Rating: string(o.Rating), Comment: o.Comment, At: o.At,
	})
	switch {
	case postgres.IsMissing(err), postgres.Violates(err, "message_feedback_message_fkey"): // the second: it was deleted meanwhile
		return domain.Message{}, ports.ErrMessageNotFound
	case err != nil:
		return domain.Message{}, fmt.Errorf("store the feedback: %w", err)
	case row.RatedAt == nil:
		return domain.Message{}, ports.ErrNoAnswer
	}
	citations, err := toCitations(row.Citations)
	if err != nil {
		return domain.Message{}, err
	}
	return domain.Message{
		Citations: citations, Structured: row.Structured,
		ID: row.ID, ThreadID: row.ThreadID, TurnID: row.TurnID, Seq: row.Seq, Role: domain.Role(row.Role), Content: row.Content,
		OperationID: row.OperationID, CreatedAt: row.CreatedAt, Cancelled: row.Status == string(domain.TurnCancelled),
		Feedback: &domain.Feedback{Rating: o.Rating, Comment: o.Comment, At: *row.RatedAt},
	}, nil
}
