package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/channelsdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/work/webhook"
)

// ResealEndpoints returns a secret.Resealer of the secrets of webhook endpoints.
func ResealEndpoints(db *postgres.DB, keys webhook.Keys) secret.Resealer {
	return keyrings{
		find: func(ctx context.Context, q *channelsdb.Queries, p channelsdb.EndpointsToResealParams) ([]channelsdb.EndpointsToResealRow, error) {
			return q.EndpointsToReseal(ctx, p)
		},
		store: func(ctx context.Context, q *channelsdb.Queries, workspace, id uuid.UUID, secrets json.RawMessage) error {
			return q.ResealEndpoint(ctx, channelsdb.ResealEndpointParams{WorkspaceID: workspace, ID: id, Secrets: secrets})
		},
	}.resealer(db, keys, "webhook endpoints")
}

// ResealSubscriptions returns a secret.Resealer of the secrets of webhook subscriptions.
func ResealSubscriptions(db *postgres.DB, keys webhook.Keys) secret.Resealer {
	return keyrings{
		find: func(ctx context.Context, q *channelsdb.Queries, p channelsdb.EndpointsToResealParams) ([]channelsdb.EndpointsToResealRow, error) {
			found, err := q.SubscriptionsToReseal(ctx, channelsdb.SubscriptionsToResealParams(p))
			rows := make([]channelsdb.EndpointsToResealRow, len(found))
			for i, r := range found {
				rows[i] = channelsdb.EndpointsToResealRow(r)
			}
			return rows, err
		},
		store: func(ctx context.Context, q *channelsdb.Queries, workspace, id uuid.UUID, secrets json.RawMessage) error {
			return q.ResealSubscription(ctx, channelsdb.ResealSubscriptionParams{WorkspaceID: workspace, ID: id, Secrets: secrets})
		},
	}.resealer(db, keys, "webhook subscriptions")
}

// keyrings finds and stores the keyrings of one table.
type keyrings struct {
	find  func(ctx context.Context, q *channelsdb.Queries, p channelsdb.EndpointsToResealParams) ([]channelsdb.EndpointsToResealRow, error)
	store func(ctx context.Context, q *channelsdb.Queries, workspace, id uuid.UUID, secrets json.RawMessage) error
}

// resealer seals keyrings with the current key, a batch in one transaction.
func (k keyrings) resealer(db *postgres.DB, keys webhook.Keys, of string) secret.Resealer {
	return func(ctx context.Context, after string, limit int) (done secret.Batch, err error) {
		position, err := secret.PositionOf(after)
		if err != nil {
			return done, err
		}
		err = db.Write(ctx, func(ctx context.Context) error {
			q, workspace := queries(ctx, db)
			rows, err := k.find(ctx, q, channelsdb.EndpointsToResealParams{
				WorkspaceID: workspace, After: position, Mark: keys.Box.Mark().Base64, Count: int32(limit),
			})
			if err != nil {
				return err
			}
			for _, r := range rows {
				again, err := keys.Reseal(r.Secrets, r.ID, &done)
				if err == nil && again != nil {
					err = k.store(ctx, q, workspace, r.ID, again)
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
			return done, fmt.Errorf("seal the secrets of %s anew: %w", of, err)
		}
		return done, nil
	}
}
