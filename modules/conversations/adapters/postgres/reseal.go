package postgres

import (
	"context"
	"fmt"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/platform/ops/secret"
)

// Reseal is a secret.Resealer of workspaces' own keys for models.
func (m Models) Reseal(ctx context.Context, after string, limit int) (done secret.Batch, err error) {
	err = m.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := queries(ctx, m.DB)
		rows, err := q.ModelKeysToReseal(ctx, conversationsdb.ModelKeysToResealParams{
			WorkspaceID: workspace, After: after, Mark: m.Box.Mark().Bytes, Count: int32(limit),
		})
		if err != nil {
			return err
		}
		for _, r := range rows {
			again, err := m.Box.Reseal(r.Sealed, sealedFor(workspace, r.Provider))
			if !done.Count(again, err) {
				continue
			}
			if err := q.ResealModelKey(ctx, conversationsdb.ResealModelKeyParams{WorkspaceID: workspace, Provider: r.Provider, Sealed: again}); err != nil {
				return err
			}
		}
		if len(rows) == limit {
			done.Next = rows[limit-1].Provider
		}
		return nil
	})
	if err != nil {
		return done, fmt.Errorf("seal the keys for models anew: %w", err)
	}
	return done, nil
}
