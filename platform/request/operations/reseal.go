package operations

import (
	"context"
	"fmt"
	"strings"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/callctx"
)

// Reseal seals responses that contain a secret with the current key, as a secret.Resealer.
func (s *Store) Reseal(ctx context.Context, after string, limit int) (done secret.Batch, err error) {
	actor, id, _ := strings.Cut(after, " ")
	afterActor, err := secret.PositionOf(actor)
	if err != nil {
		return done, err
	}
	afterID, err := secret.PositionOf(id)
	if err != nil {
		return done, err
	}
	err = s.db.Write(ctx, func(ctx context.Context) error {
		q, workspace := platformdb.New(s.db.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
		rows, err := q.AnswersToReseal(ctx, platformdb.AnswersToResealParams{
			WorkspaceID: workspace, AfterActor: afterActor, AfterID: afterID, Mark: s.box.Mark().Bytes, Count: int32(limit),
		})
		if err != nil {
			return err
		}
		for _, r := range rows {
			again, err := s.box.Reseal(r.Body, []byte(cacheKey(workspace, r.ActorID, r.ID)))
			if !done.Count(again, err) {
				continue
			}
			if err := q.ResealAnswer(ctx, platformdb.ResealAnswerParams{WorkspaceID: workspace, ActorID: r.ActorID, ID: r.ID, Body: again}); err != nil {
				return err
			}
		}
		if len(rows) == limit {
			last := rows[limit-1]
			done.Next = last.ActorID.String() + " " + last.ID.String()
		}
		return nil
	})
	if err != nil {
		return done, fmt.Errorf("seal the answers of operations anew: %w", err)
	}
	return done, nil
}
