package jobs

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/callctx"
)

// Reseal seals texts in the payloads of a kind's jobs and dead letters with the current key, as a secret.Resealer does.
// Each payload is an object that holds a sealed text under name.
func (q *Queue) Reseal(ctx context.Context, kind, name string, box *secret.Box, bound []byte, after string, limit int) (done secret.Batch, err error) {
	position, err := secret.PositionOf(after)
	if err != nil {
		return done, err
	}
	err = q.db.Write(ctx, func(ctx context.Context) error {
		queries, workspace := platformdb.New(q.db.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
		rows, err := queries.JobsToReseal(ctx, platformdb.JobsToResealParams{
			WorkspaceID: workspace, Kind: kind, After: position, Name: name, Mark: box.Mark().Base64, Count: int32(limit),
		})
		if err != nil {
			return err
		}
		for _, r := range rows {
			payload, err := resealPayload(r.Payload, name, box, bound)
			if !done.Count(payload, err) {
				continue
			}
			if r.Dead {
				err = queries.ResealDeadLetter(ctx, platformdb.ResealDeadLetterParams{WorkspaceID: workspace, ID: r.ID, Payload: payload, Before: r.Payload})
			} else {
				err = queries.ResealJob(ctx, platformdb.ResealJobParams{WorkspaceID: workspace, ID: r.ID, Payload: payload, Before: r.Payload})
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
		return done, fmt.Errorf("seal the payloads of %s anew: %w", kind, err)
	}
	return done, nil
}

// resealPayload returns nil where the text is sealed as it should be.
func resealPayload(payload []byte, name string, box *secret.Box, bound []byte) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(payload, &fields); err != nil {
		return nil, err
	}
	var sealed []byte
	if err := json.Unmarshal(fields[name], &sealed); err != nil {
		return nil, err
	}
	again, err := box.Reseal(sealed, bound)
	if err != nil || again == nil {
		return nil, err
	}
	if fields[name], err = json.Marshal(again); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}
