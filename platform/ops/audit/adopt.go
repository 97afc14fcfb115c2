package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/request/callctx"
)

// Adoption says what the end of a log was taken to be.
type Adoption struct {
	Workspace uuid.UUID
	Seal      int64
	Rows      int64
	Before    *Head // that the anchor had; nil: none, or none that could be read
}

// Adopt accepts the end of a workspace's log as it is. An operator calls it who knows why the log differs from its head
// or its anchor: a backup was restored, or the anchor was lost. Adopt records this in the log, and stores the head in
// the anchor, if there is one. A changed row or seal within the log stays broken.
func (s *Sealer) Adopt(ctx context.Context, log *Log, workspace uuid.UUID) (Adoption, error) {
	// The trace and operation of the call stay.
	ctx = callctx.As(ctx, workspace, uuid.Nil)
	done := Adoption{Workspace: workspace}
	if s.anchor != nil {
		before, err := s.anchor.read(ctx, workspace)
		switch {
		case err == nil:
			done.Before = &before
		case !errors.Is(err, errNoAnchor) && !errors.Is(err, errAnchorForm):
			return done, err
		}
	}
	var head Head
	err := s.db.Write(ctx, func(ctx context.Context) error {
		if _, err := platformdb.New(s.db.In(ctx)).LockSealHead(ctx, workspace); err != nil {
			return err
		}
		var err error
		if head, err = s.setHead(ctx, workspace); err != nil {
			return err
		}
		changes := map[string]any{"seal": head.Seal, "rows": head.Rows}
		if done.Before != nil {
			changes["anchored_seal"], changes["anchored_rows"] = done.Before.Seal, done.Before.Rows
		}
		return log.Record(ctx, Entry{Action: "audit.adopt", Resource: "workspace", ResourceID: workspace, Changes: changes})
	})
	if err != nil {
		return done, fmt.Errorf("adopt the seals: %w", err)
	}
	done.Seal, done.Rows = head.Seal, head.Rows
	if s.anchor == nil {
		return done, nil
	}
	if err := s.anchor.write(ctx, head); err != nil {
		return done, err
	}
	return done, s.noteAnchored(ctx, workspace, head.Seal)
}

// Each calls do for every workspace that has or had seals; the context passed to do is in that workspace. It returns
// the joined errors.
func (s *Sealer) Each(ctx context.Context, do func(ctx context.Context, workspace uuid.UUID) error) error {
	return s.eachHead(ctx, allHeads, do)
}
