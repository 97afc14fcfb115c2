package audit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/callctx"
)

// Sealer makes changes to the log detectable, including changes by somebody with all rights in the database. It chains
// batches of rows with a key that is not stored in the database. It works in the background, so that no change waits
// for it.
type Sealer struct {
	db     *postgres.DB
	keys   secret.Keys  // the current one makes MACs, all check them
	past   secret.Keys  // check seals that a head under one of keys covers, and nothing else
	deepAt atomic.Int64 // when a run last looked back all the way, in Unix seconds
	doneAt atomic.Int64 // when a run last sealed all that it found, in Unix seconds

	anchor     *Anchor                   // nil: there is none
	adoptUntil atomic.Pointer[time.Time] // nil: not read yet
}

// Lag returns the time since this process last sealed all rows; 0 before its first run.
func (s *Sealer) Lag() time.Duration {
	if s.doneAt.Load() == 0 {
		return 0
	}
	return time.Since(time.Unix(s.doneAt.Load(), 0))
}

// NewSealer returns a Sealer. past are the keys of a SECRET_KEY that is no longer known. They only verify seals that
// the head of their log covers, so that nobody who has such a key can forge a log.
func NewSealer(db *postgres.DB, keys, past secret.Keys) *Sealer {
	return &Sealer{db: db, keys: keys, past: past}
}

// Anchored makes the sealer compare logs with an anchor. It must be called before any other method.
func (s *Sealer) Anchored(a *Anchor) { s.anchor = a }

const (
	sealPage  = 1000    // rows of one seal at the most
	sealLook  = 100_000 // rows looked for at once: a look costs as much as there is to seal
	sealsRead = 20      // seals read at once
	// A run reads the rows since the previous run, and of a short time before it. Its cost depends on their number.
	shallowLook = 15 // seconds
	// Once per deepEvery, a run reads the rows of the last lookBack. That is longer than any transaction of the program
	// lasts (statement_timeout, idle_in_transaction_session_timeout). A row that a run cannot see yet is found by the
	// next such run, and a row that appears still later was not written by the program.
	lookBack  = 600 // seconds
	deepEvery = 300 // seconds, so that such a row is in a seal before Verify wonders at it
)

// Seal seals all rows that were written since the last seal, in every workspace. It may run in several processes at
// once: the second one in a workspace fails without harm on the number of its seal, and tries again at the next run.
func (s *Sealer) Seal(ctx context.Context) error {
	look, now := int32(shallowLook), time.Now().Unix()
	deep := now-s.deepAt.Load() >= deepEvery
	if deep {
		look = lookBack
	}
	if err := s.adoptPending(ctx); err != nil {
		return fmt.Errorf("adopt seals of the release before: %w", err)
	}
	if err := s.seal(ctx, look); err != nil {
		return err
	}
	s.doneAt.Store(now)
	if deep {
		s.deepAt.Store(now)
	}
	return nil
}

// Waiting returns the number of workspaces with unsealed rows, and the time at which all rows of all workspaces were
// last sealed; the Unix epoch if never.
func (s *Sealer) Waiting(ctx context.Context) (workspaces int, since time.Time, err error) {
	pending, err := platformdb.New(s.db.In(ctx)).AuditToSeal(ctx, 0)
	if err != nil {
		return 0, since, fmt.Errorf("look for rows to seal: %w", err)
	}
	if len(pending) > 0 {
		since = pending[0].Since
	}
	return len(pending), since, nil
}

func (s *Sealer) seal(ctx context.Context, look int32) error {
	pending, err := platformdb.New(s.db.In(ctx)).AuditToSeal(ctx, look)
	if err != nil {
		return fmt.Errorf("look for rows to seal: %w", err)
	}
	if len(pending) == 0 {
		return nil
	}
	var failures []error
	whole := true
	for _, p := range pending {
		err := s.db.Write(callctx.As(ctx, p.WorkspaceID, uuid.Nil), func(ctx context.Context) error { return s.sealWorkspace(ctx, p) })
		switch {
		case postgres.Violates(err, "audit_seals_pkey") || errors.Is(err, errSealedMeanwhile):
			whole = false // another process is at it
		case err != nil:
			failures = append(failures, fmt.Errorf("seal workspace %s: %w", p.WorkspaceID, err))
		}
	}
	if len(failures) > 0 || !whole {
		return errors.Join(failures...)
	}
	return s.db.Write(ctx, func(ctx context.Context) error {
		return platformdb.New(s.db.In(ctx)).AuditSealed(ctx, pending[0].SealedAt)
	})
}

// errSealedMeanwhile says that another process has sealed in the workspace at the same time. The next run goes on from its seal.
var errSealedMeanwhile = errors.New("audit: another process has sealed meanwhile")

// sealWorkspace seals all rows of a workspace at once: a seal means that all older rows are sealed.
func (s *Sealer) sealWorkspace(ctx context.Context, p platformdb.AuditToSealRow) error {
	q := platformdb.New(s.db.In(ctx))
	last, err := q.LastSeal(ctx, p.WorkspaceID)
	if err != nil && !postgres.IsMissing(err) {
		return err
	}
	head, err := readHead(ctx, q, p.WorkspaceID)
	if err != nil {
		return err
	}
	if head.seq > last.Seq { // seals were removed, or another process has sealed between the two reads: last is then not the last
		again, err := q.LastSeal(ctx, p.WorkspaceID)
		if err != nil && !postgres.IsMissing(err) {
			return err
		}
		if again.Seq != last.Seq {
			return errSealedMeanwhile
		}
	}
	total, believed, err := s.sealedRows(ctx, q, head, last.Seq)
	if err != nil {
		return err
	}
	next := seal{workspace: p.WorkspaceID, seq: max(head.seq, last.Seq), at: p.SealedAt, previous: last.Mac, total: total, believed: believed}
	for {
		rows, err := q.RowsToSeal(ctx, platformdb.RowsToSealParams{WorkspaceID: p.WorkspaceID, Since: p.Since, Count: sealLook})
		if err != nil {
			return err
		}
		for next.rows = range slices.Chunk(rows, sealPage) {
			next.seq++
			next.total += int64(len(next.rows))
			if next.previous, err = s.create(ctx, q, next); err != nil {
				return err
			}
		}
		if len(rows) < sealLook {
			return nil
		}
	}
}

func (s *Sealer) create(ctx context.Context, q *platformdb.Queries, r seal) (mac []byte, err error) {
	rows, err := readSealed(ctx, q, r)
	if err != nil {
		return nil, err
	}
	key := s.keys.Current()
	mac = sealMAC(key.Bytes, r, rows)
	params := platformdb.CreateSealParams{WorkspaceID: r.workspace, Seq: r.seq, RowIds: r.rows, SealedAt: r.at, Mac: mac, KeyID: key.ID[:]}
	if r.believed {
		params.MacSeq, params.MacRows = &r.seq, &r.total
		params.HeadMac = s.signed(Head{Workspace: r.workspace, Seal: r.seq, Rows: r.total, SealedAt: r.at, SealMAC: mac}).MAC
	}
	_, err = q.CreateSeal(ctx, params)
	return mac, err
}

// seal is what one seal covers.
type seal struct {
	workspace uuid.UUID
	seq       int64
	at        time.Time
	rows      []uuid.UUID
	previous  []byte

	total    int64 // rows that all seals up to this one name
	believed bool  // the head before it fits, so that one of this seal may be made
}

// readSealed reads the rows that a seal names, as it covers them; fewer where some are gone.
func readSealed(ctx context.Context, q *platformdb.Queries, r seal) ([]string, error) {
	return q.ReadForSeal(ctx, platformdb.ReadForSealParams{WorkspaceID: r.workspace, Ids: r.rows})
}

// sealMAC computes a seal: HMAC-SHA-256 over the seal before, its own number, time and count, and every row with its length.
func sealMAC(key []byte, r seal, rows []string) []byte {
	h := hmac.New(sha256.New, key)
	chunk(h, r.previous)
	chunk(h, r.workspace[:])
	for _, n := range []int64{r.seq, r.at.UnixMicro(), int64(len(r.rows))} {
		_ = binary.Write(h, binary.BigEndian, n) // a hash does not fail
	}
	for _, row := range rows {
		chunk(h, []byte(row))
	}
	return h.Sum(nil)
}

func chunk(h hash.Hash, b []byte) {
	_ = binary.Write(h, binary.BigEndian, int64(len(b)))
	h.Write(b)
}
