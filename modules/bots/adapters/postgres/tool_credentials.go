package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/botsdb"
	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/callctx"
)

// ToolCredentials stores the credentials of tools. The box seals each for its workspace and tool.
type ToolCredentials struct {
	DB  *postgres.DB
	Box *secret.Box
}

var _ ports.ToolCredentials = ToolCredentials{}

func (c ToolCredentials) queries(ctx context.Context) (*botsdb.Queries, uuid.UUID) {
	return botsdb.New(c.DB.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
}

// sealedFor returns the additional data of sealed credentials: those that are moved to another row cannot be opened there.
func sealedFor(workspace, tool uuid.UUID) []byte { return append(workspace[:], tool[:]...) }

func (c ToolCredentials) Put(ctx context.Context, tool uuid.UUID, set domain.SetCredentials, secrets domain.Credentials, by uuid.UUID) error {
	q, workspace := c.queries(ctx)
	plain, err := json.Marshal(secrets) //nolint:gosec // to be sealed
	if err != nil {
		return fmt.Errorf("encode the credentials of the tool: %w", err)
	}
	err = q.PutToolCredentials(ctx, botsdb.PutToolCredentialsParams{
		WorkspaceID: workspace, ToolID: tool, Type: string(set.Type), Origin: set.Origin, Sealed: c.Box.Seal(plain, sealedFor(workspace, tool)), CreatedBy: by, CreatedAt: set.At,
	})
	if err != nil {
		return fmt.Errorf("store the credentials of the tool: %w", err)
	}
	return nil
}

func (c ToolCredentials) Delete(ctx context.Context, tool uuid.UUID) error {
	q, workspace := c.queries(ctx)
	if err := q.DeleteToolCredentials(ctx, botsdb.DeleteToolCredentialsParams{WorkspaceID: workspace, ToolID: tool}); err != nil {
		return fmt.Errorf("delete the credentials of the tool: %w", err)
	}
	return nil
}

func (c ToolCredentials) Open(ctx context.Context, tool uuid.UUID, sealed []byte) (secrets domain.Credentials, err error) {
	plain, err := c.Box.Open(sealed, sealedFor(callctx.From(ctx).Principal.WorkspaceID, tool))
	if err == nil {
		err = json.Unmarshal(plain, &secrets)
	}
	if err != nil {
		return domain.Credentials{}, fmt.Errorf("open the credentials of the tool (SECRET_KEY opens them): %w", err)
	}
	return secrets, nil
}

// Reseal is a secret.Resealer of the credentials of tools.
func (c ToolCredentials) Reseal(ctx context.Context, after string, limit int) (done secret.Batch, err error) {
	position, err := secret.PositionOf(after)
	if err != nil {
		return done, err
	}
	err = c.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := c.queries(ctx)
		rows, err := q.ToolCredentialsToReseal(ctx, botsdb.ToolCredentialsToResealParams{
			WorkspaceID: workspace, After: position, Mark: c.Box.Mark().Bytes, Count: int32(limit),
		})
		if err != nil {
			return err
		}
		for _, row := range rows {
			again, err := c.Box.Reseal(row.Sealed, sealedFor(workspace, row.ToolID))
			if !done.Count(again, err) {
				continue
			}
			if err := q.ResealToolCredentials(ctx, botsdb.ResealToolCredentialsParams{WorkspaceID: workspace, ToolID: row.ToolID, Sealed: again}); err != nil {
				return err
			}
		}
		if len(rows) == limit {
			done.Next = rows[limit-1].ToolID.String()
		}
		return nil
	})
	if err != nil {
		return done, fmt.Errorf("seal the credentials of tools anew: %w", err)
	}
	return done, nil
}
