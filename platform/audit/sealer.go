package audit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/postgres"
)

// Sealer makes changes to the log evident, also those of somebody with all rights in the database: it chains batches of
// rows under a key that is not there. It works in the background, so that no change waits for it.
type Sealer struct {
	db  *postgres.DB
	key []byte
}

// NewSealer makes a Sealer.
func NewSealer(db *postgres.DB, key []byte) *Sealer { return &Sealer{db: db, key: key} }

const sealPage = 1000 // rows read at once

// Seal seals what has been written since the last time, in every workspace. It reads only rows of transactions older
// than the oldest that still runs: behind them nothing can appear any more. Several processes may call it at once; who
// comes second fails harmlessly on a seal's number and tries again the next time.
func (s *Sealer) Seal(ctx context.Context) error {
	sealed, err := platformdb.New(s.db.In(ctx)).AuditSealedTo(ctx)
	if err != nil {
		return fmt.Errorf("look how far the log is sealed: %w", err)
	}
	pending, err := platformdb.New(s.db.In(ctx)).AuditToSeal(ctx)
	if err != nil {
		return fmt.Errorf("look for rows to seal: %w", err)
	}
	if len(pending) == 0 {
		return nil
	}
	for _, p := range pending {
		err := s.db.Write(call.As(ctx, p.WorkspaceID, uuid.Nil), func(ctx context.Context) error {
			return s.sealWorkspace(ctx, p.WorkspaceID, sealed, p.UpTo)
		})
		if postgres.Violates(err, "audit_seals_pkey") {
			return nil // another process is at it
		}
		if err != nil {
			return fmt.Errorf("seal workspace %s: %w", p.WorkspaceID, err)
		}
	}
	return s.db.Write(ctx, func(ctx context.Context) error {
		return platformdb.New(s.db.In(ctx)).AuditSealed(ctx, pending[0].UpTo)
	})
}

// sealWorkspace seals a workspace's rows up to a transaction. Where rows that were sealed are so no more, somebody has
// taken a seal away: it leaves them as they are, for Verify to tell, rather than seal what may have been changed.
func (s *Sealer) sealWorkspace(ctx context.Context, workspace uuid.UUID, sealed, upTo int64) error {
	q := platformdb.New(s.db.In(ctx))
	last, err := q.LastSeal(ctx, workspace)
	if err != nil && !postgres.IsMissing(err) {
		return err
	}
	seal := sealRange{workspace: workspace, seq: last.Seq + 1, from: last.ToTxid, to: upTo, previous: last.Mac}
	if seal.from >= seal.to {
		return nil
	}
	bared, err := q.CountAudit(ctx, platformdb.CountAuditParams{WorkspaceID: workspace, FromTxid: seal.first(), ToTxid: sealed})
	if err != nil {
		return err
	}
	if bared > 0 {
		seal.from = sealed
	}
	rows, mac, err := s.mac(ctx, q, seal)
	if err != nil || rows == 0 {
		return err
	}
	_, err = q.CreateSeal(ctx, platformdb.CreateSealParams{
		WorkspaceID: workspace, Seq: seal.seq, FromTxid: seal.from, ToTxid: seal.to, Rows: rows, Mac: mac,
	})
	return err
}

// sealRange is what one seal covers.
type sealRange struct {
	workspace uuid.UUID
	seq       int64
	from, to  int64 // transactions: inclusive, exclusive
	previous  []byte
}

// first is where the rows of the range begin: nothing, a forged transaction included, comes before those of seal 1.
func (r sealRange) first() int64 {
	if r.from == 0 {
		return math.MinInt64
	}
	return r.from
}

// mac computes a seal: HMAC-SHA-256 over the seal before, the range, and every row with its length.
func (s *Sealer) mac(ctx context.Context, q *platformdb.Queries, r sealRange) (rows int64, mac []byte, err error) {
	h := hmac.New(sha256.New, s.key)
	chunk(h, r.previous)
	chunk(h, r.workspace[:])
	for _, n := range []int64{r.seq, r.from, r.to} {
		_ = binary.Write(h, binary.BigEndian, n) // a hash does not fail
	}
	params := platformdb.ReadForSealParams{WorkspaceID: r.workspace, FromTxid: r.first(), ToTxid: r.to, AfterTxid: math.MinInt64, Count: sealPage}
	for {
		page, err := q.ReadForSeal(ctx, params)
		if err != nil {
			return 0, nil, err
		}
		for _, row := range page {
			chunk(h, []byte(row.Bytes))
		}
		rows += int64(len(page))
		if len(page) < sealPage {
			return rows, h.Sum(nil), nil
		}
		last := page[len(page)-1]
		params.AfterTxid, params.AfterID = last.Txid, last.ID
	}
}

func chunk(h hash.Hash, b []byte) {
	_ = binary.Write(h, binary.BigEndian, int64(len(b)))
	h.Write(b)
}

// Verification is what Verify found.
type Verification struct {
	Sealed, Unsealed, Seals int64
	Broken                  *int64 // the number of the first seal that does not fit; nil: the log is as it was written
}

// Verify reads every row and seal of the caller's workspace and recomputes.
func (s *Sealer) Verify(ctx context.Context) (Verification, error) {
	q, workspace := platformdb.New(s.db.In(ctx)), call.From(ctx).Principal.WorkspaceID
	var v Verification
	sealed, err := q.AuditSealedTo(ctx) // before the seals, which may become more meanwhile
	if err != nil {
		return v, fmt.Errorf("look how far the log is sealed: %w", err)
	}
	var before sealRange
	for {
		seals, err := q.ListSeals(ctx, platformdb.ListSealsParams{WorkspaceID: workspace, After: before.seq, Count: sealPage})
		if err != nil {
			return v, fmt.Errorf("read the seals: %w", err)
		}
		for _, seal := range seals {
			r := sealRange{workspace: workspace, seq: seal.Seq, from: seal.FromTxid, to: seal.ToTxid, previous: before.previous}
			rows, mac, err := s.mac(ctx, q, r)
			if err != nil {
				return v, fmt.Errorf("read the sealed rows: %w", err)
			}
			fits := seal.Seq == before.seq+1 && seal.FromTxid == before.to && rows == seal.Rows && hmac.Equal(mac, seal.Mac)
			if !fits && v.Broken == nil {
				v.Broken = &seal.Seq
			}
			v.Sealed += rows
			v.Seals++
			before = sealRange{seq: seal.Seq, from: seal.ToTxid, to: seal.ToTxid, previous: seal.Mac}
		}
		if len(seals) < sealPage {
			break
		}
	}
	rest := platformdb.CountAuditParams{WorkspaceID: workspace, FromTxid: before.first(), ToTxid: math.MaxInt64}
	if v.Unsealed, err = q.CountAudit(ctx, rest); err != nil {
		return v, fmt.Errorf("count the unsealed rows: %w", err)
	}
	rest.ToTxid = sealed
	bared, err := q.CountAudit(ctx, rest)
	if err != nil {
		return v, fmt.Errorf("count the rows whose seal is gone: %w", err)
	}
	if bared > 0 && v.Broken == nil {
		gone := before.seq + 1
		v.Broken = &gone
	}
	return v, nil
}
