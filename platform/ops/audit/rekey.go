package audit

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/ops/secret"
)

// isCurrent reports whether a head names the current key.
func (s *Sealer) isCurrent(h Head) bool { return secret.IDOf(h.KeyID) == s.keys.Current().ID }

// Rekey computes the MAC of a workspace's head again with the current key; the context must be in the workspace. It
// leaves a head unchanged if it does not match the key that it names, as a new MAC would hide that the log was changed,
// or if its key is unknown. Seals stay unchanged too: the head covers them, so that nobody with their key can change
// them.
func (s *Sealer) Rekey(ctx context.Context, workspace uuid.UUID) (changed, fits bool, err error) {
	err = s.db.Write(ctx, func(ctx context.Context) error {
		q := platformdb.New(s.db.In(ctx))
		if _, err := q.LockSealHead(ctx, workspace); err != nil {
			return err
		}
		head, err := readHead(ctx, q, workspace)
		if err != nil {
			return err
		}
		if _, unknown := s.unknown(head.Head); unknown || head.MAC == nil || s.isCurrent(head.Head) {
			fits = true
			return nil
		}
		if fits = s.fits(head.Head); !fits {
			return nil
		}
		changed = true
		next := s.signed(head.Head)
		return q.RekeySealHead(ctx, platformdb.RekeySealHeadParams{WorkspaceID: workspace, Mac: next.MAC, KeyID: next.KeyID})
	})
	if err != nil {
		return false, false, fmt.Errorf("make the head of the seals anew: %w", err)
	}
	return changed, fits, nil
}
