package audit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/secret"
)

// Cut is the beginning of the sealed log of a workspace of which old rows were removed.
type Cut struct {
	Seals int64     // that were removed: the log goes on with the next one
	Rows  int64     // that were removed in all
	At    time.Time // of the last removal
}

// storedCut is a cut as the database has it, authenticated with a key that is not in the database. The zero value is that of
// a log of which nothing was removed.
type storedCut struct {
	Cut
	workspace uuid.UUID
	sealMAC   []byte // of the last seal that was removed, which the next one covers
	mac       []byte
	keyID     []byte
}

// cutMAC computes what a cut's MAC should be. The MACs of seals and heads begin with another length, so that none is the other's.
func cutMAC(key []byte, c storedCut) []byte {
	m := hmac.New(sha256.New, key)
	chunk(m, []byte("audit cut"))
	chunk(m, c.workspace[:])
	for _, n := range []int64{c.Seals, c.Rows, c.At.UnixMicro()} {
		_ = binary.Write(m, binary.BigEndian, n) // a hash does not fail
	}
	chunk(m, c.sealMAC)
	return m.Sum(nil)
}

// signedCut returns a cut with the MAC and the id of the current key.
func (s *Sealer) signedCut(c storedCut) storedCut {
	key := s.keys.Current()
	c.mac, c.keyID = cutMAC(key.Bytes, c), key.ID[:]
	return c
}

// fitsCut reports whether the MAC of a cut was made with the key that the cut names.
func (s *Sealer) fitsCut(c storedCut) bool {
	return len(c.keyID) > 0 && s.made(c.mac, c.keyID, func(key []byte) []byte { return cutMAC(key, c) })
}

// readCut reads the cut of a workspace, which the context is in.
func readCut(ctx context.Context, q *platformdb.Queries, workspace uuid.UUID) (storedCut, error) {
	r, err := q.ReadCut(ctx, workspace)
	if postgres.IsMissing(err) {
		return storedCut{workspace: workspace}, nil
	}
	if err != nil {
		return storedCut{}, fmt.Errorf("read where the log begins: %w", err)
	}
	return toCut(workspace, platformdb.LockCutRow(r)), nil
}

func toCut(workspace uuid.UUID, r platformdb.LockCutRow) storedCut {
	return storedCut{Cut: Cut{Seals: r.Seq, Rows: r.Rows, At: r.CutAt}, workspace: workspace, sealMAC: r.SealMac, mac: r.Mac, keyID: r.KeyID}
}

// RekeyCut computes the MAC of a workspace's cut again with the current key, as Rekey does with the head; the context must
// be in the workspace. It leaves a cut unchanged that does not match its key, or whose key is unknown.
func (s *Sealer) RekeyCut(ctx context.Context, workspace uuid.UUID) (changed, fits bool, err error) {
	err = s.db.Write(ctx, func(ctx context.Context) error {
		q := platformdb.New(s.db.In(ctx))
		r, err := q.LockCut(ctx, workspace)
		if postgres.IsMissing(err) {
			fits = true
			return nil
		}
		if err != nil {
			return err
		}
		cut := toCut(workspace, r)
		if _, unknown := s.unknownID(cut.keyID); unknown || secret.IDOf(cut.keyID) == s.keys.Current().ID {
			fits = true
			return nil
		}
		if fits = s.fitsCut(cut); !fits {
			return nil
		}
		changed = true
		next := s.signedCut(cut)
		return q.RekeyCut(ctx, platformdb.RekeyCutParams{WorkspaceID: workspace, Mac: next.mac, KeyID: next.keyID})
	})
	if err != nil {
		return false, false, fmt.Errorf("sign the beginning of the log anew: %w", err)
	}
	return changed, fits, nil
}
