package events

import (
	"context"
	"fmt"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/secret"
)

// Reseal seals the secrets of subscriptions with the current key, as a secret.Resealer.
func (s *Subscriptions) Reseal(ctx context.Context, after string, limit int) (done secret.Batch, err error) {
	position, err := secret.PositionOf(after)
	if err != nil {
		return done, err
	}
	err = s.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := s.queries(ctx)
		rows, err := q.SubscriptionsToReseal(ctx, platformdb.SubscriptionsToResealParams{
			WorkspaceID: workspace, After: position, Mark: s.Keys.Box.Mark().Base64, Count: int32(limit),
		})
		if err != nil {
			return err
		}
		for _, r := range rows {
			again, err := s.Keys.Reseal(r.Secrets, r.ID, &done)
			if err == nil && again != nil {
				err = q.ResealSubscription(ctx, platformdb.ResealSubscriptionParams{WorkspaceID: workspace, ID: r.ID, Secrets: again})
			}
			if err != nil {
				return err
			}
		}
		if len(rows) == limit {
			done.Next = rows[limit-1].ID.String()
		}
		return nil
	})
	if err != nil {
		return done, fmt.Errorf("seal the secrets of subscriptions anew: %w", err)
	}
	return done, nil
}
