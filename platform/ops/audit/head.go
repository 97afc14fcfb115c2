package audit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/callctx"
)

// Head is the end of the sealed log of a workspace, authenticated with a key that is not in the database. An anchor
// stores a copy of it.
type Head struct {
	Workspace uuid.UUID `json:"workspace_id"`
	Seal      int64     `json:"seal"` // the number of the newest seal; 0: there is none
	Rows      int64     `json:"rows"` // that all seals up to it name
	SealedAt  time.Time `json:"sealed_at"`
	SealMAC   []byte    `json:"seal_mac"`
	MAC       []byte    `json:"mac"`
	KeyID     []byte    `json:"key_id,omitempty"` // of the key of MAC; empty: a release before ids made it
}

// headMAC computes what a head's MAC should be. The MACs of seals begin with another length, so that none is the other's.
func headMAC(key []byte, h Head) []byte {
	m := hmac.New(sha256.New, key)
	chunk(m, []byte("audit head"))
	chunk(m, h.Workspace[:])
	for _, n := range []int64{h.Seal, h.Rows, h.SealedAt.UnixMicro()} {
		_ = binary.Write(m, binary.BigEndian, n) // a hash does not fail
	}
	chunk(m, h.SealMAC)
	return m.Sum(nil)
}

// signed returns a head with the MAC and the id of the current key.
func (s *Sealer) signed(h Head) Head {
	key := s.keys.Current()
	h.MAC, h.KeyID = headMAC(key.Bytes, h), key.ID[:]
	return h
}

// fits reports whether the MAC of a head was made with the key that the head names. If the head names no key, any known
// key may match.
func (s *Sealer) fits(h Head) bool {
	return s.made(h.MAC, h.KeyID, func(key []byte) []byte { return headMAC(key, h) })
}

// made reports whether a MAC was made with the key of an id; with any known key if the id is empty.
func (s *Sealer) made(mac, keyID []byte, compute func(key []byte) []byte) bool {
	keys := s.keys
	if id := secret.IDOf(keyID); len(keyID) > 0 {
		named, found := s.keys.Find(id)
		if !found {
			return false
		}
		keys = secret.Keys{named}
	}
	return keys.Any(func(key []byte) bool { return hmac.Equal(mac, compute(key)) })
}

// unknown returns the id of the key that a head names and that is not known; false where there is none.
func (s *Sealer) unknown(h Head) (secret.KeyID, bool) { return s.unknownID(h.KeyID) }

func (s *Sealer) unknownID(keyID []byte) (secret.KeyID, bool) {
	if len(keyID) == 0 {
		return secret.KeyID{}, false
	}
	_, found := s.keys.Find(secret.IDOf(keyID))
	return secret.IDOf(keyID), !found
}

// storedHead is the head as the database has it.
type storedHead struct {
	Head
	found     bool
	seq       int64 // the newest seal that was made; above Head.Seal where the release before has sealed since
	rowsAfter int64 // that seals behind Head.Seal name
	anchored  int64 // the seal of the head that was anchored last
}

// readHead reads the head of a workspace, which the context is in.
func readHead(ctx context.Context, q *platformdb.Queries, workspace uuid.UUID) (storedHead, error) {
	r, err := q.SealHead(ctx, workspace)
	if postgres.IsMissing(err) {
		return storedHead{Head: Head{Workspace: workspace}}, nil
	}
	if err != nil {
		return storedHead{}, fmt.Errorf("read the head of the seals: %w", err)
	}
	return storedHead{
		Head:  Head{Workspace: workspace, Seal: r.MacSeq, Rows: r.MacRows, SealedAt: r.SealedAt, SealMAC: r.SealMac, MAC: r.Mac, KeyID: r.KeyID},
		found: true, seq: r.Seq, rowsAfter: r.RowsAfter, anchored: r.AnchoredSeq,
	}, nil
}

// sealedRows says how many rows the seals of a workspace name, if its head is to be believed. If not, the head must stay as
// it is: an authentic one would hide what was done.
func (s *Sealer) sealedRows(ctx context.Context, q *platformdb.Queries, h storedHead, last int64) (rows int64, believed bool, err error) {
	switch {
	case last == 0 && (!h.found || h.MAC == nil && h.seq == 0):
		return 0, true, nil // a log that begins
	case h.MAC != nil:
		return h.Rows + h.rowsAfter, s.fits(h.Head), nil
	case !h.found:
		return 0, false, nil
	}
	if adopting, err := s.adopting(ctx); err != nil || !adopting {
		return 0, false, err
	}
	counted, err := q.CountSealed(ctx, h.Workspace)
	return counted.Rows, counted.Seq >= h.seq, err
}

// adoptFor is how long heads without a MAC are adopted after the first start of a release that makes them: while the release
// before runs beside it, that makes some.
const adoptFor = 24 * time.Hour

// adopting reports whether heads without a MAC are adopted as they are. That happens once in the life of a database
// that had seals before heads were authenticated, and never in another database.
func (s *Sealer) adopting(ctx context.Context) (bool, error) {
	if until := s.adoptUntil.Load(); until != nil {
		return time.Now().Before(*until), nil
	}
	ctx = callctx.With(ctx, &callctx.Call{}) // it is of no workspace
	until, err := s.readAdoption(ctx)
	if err != nil {
		return false, fmt.Errorf("read until when seals are adopted: %w", err)
	}
	s.adoptUntil.Store(&until)
	return time.Now().Before(until), nil
}

func (s *Sealer) readAdoption(ctx context.Context) (until time.Time, err error) {
	set := func(r platformdb.AuditAdoptionRow) bool { return r.AdoptUntil.Unix() != 0 }
	stored, err := platformdb.New(s.db.In(ctx)).AuditAdoption(ctx)
	if err != nil {
		return until, err
	}
	if !set(stored) {
		until = time.Now().UTC().Truncate(time.Microsecond)
		if stored.Heads {
			until = until.Add(adoptFor)
		}
		err := s.db.Write(ctx, func(ctx context.Context) error {
			return platformdb.New(s.db.In(ctx)).BeginAuditAdoption(ctx, platformdb.BeginAuditAdoptionParams{Until: until, Mac: adoptionMAC(s.keys.Current().Bytes, until)})
		})
		if err != nil {
			return until, err
		}
		if stored, err = platformdb.New(s.db.In(ctx)).AuditAdoption(ctx); err != nil {
			return until, err
		}
	}
	ours := func(key []byte) bool { return hmac.Equal(stored.AdoptMac, adoptionMAC(key, stored.AdoptUntil)) }
	if !set(stored) || !s.keys.Any(ours) {
		return time.Time{}, nil // somebody has changed it
	}
	return stored.AdoptUntil, nil
}

func adoptionMAC(key []byte, until time.Time) []byte {
	m := hmac.New(sha256.New, key)
	chunk(m, []byte("audit adoption"))
	_ = binary.Write(m, binary.BigEndian, until.UnixMicro()) // a hash does not fail
	return m.Sum(nil)
}

const headsPage = 200 // workspaces looked for at once

// Kinds of heads that are looked for.
const (
	allHeads      = "all"
	headsToAdopt  = "to adopt"
	headsToAnchor = "to anchor"
)

// eachHead calls do for every workspace with a head of a kind, and joins what fails; it ends with its context.
func (s *Sealer) eachHead(ctx context.Context, which string, do func(ctx context.Context, workspace uuid.UUID) error) error {
	var failures []error
	for after := uuid.Nil; ctx.Err() == nil; {
		none := callctx.With(ctx, &callctx.Call{})
		page, err := platformdb.New(s.db.In(none)).AuditHeads(none, platformdb.AuditHeadsParams{Which: which, After: after, Most: headsPage})
		if err != nil {
			return errors.Join(append(failures, fmt.Errorf("look for the heads of seals: %w", err))...)
		}
		for _, workspace := range page {
			if err := do(callctx.As(ctx, workspace, uuid.Nil), workspace); err != nil {
				failures = append(failures, fmt.Errorf("workspace %s: %w", workspace, err))
			}
		}
		if len(page) < headsPage {
			return errors.Join(failures...)
		}
		after = page[len(page)-1]
	}
	return errors.Join(append(failures, ctx.Err())...)
}

// adoptPending authenticates heads that have no MAC, while they are adopted.
func (s *Sealer) adoptPending(ctx context.Context) error {
	if adopting, err := s.adopting(ctx); err != nil || !adopting {
		return err
	}
	return s.eachHead(ctx, headsToAdopt, func(ctx context.Context, workspace uuid.UUID) error {
		return s.db.Write(ctx, func(ctx context.Context) error {
			bare, err := platformdb.New(s.db.In(ctx)).LockSealHead(ctx, workspace)
			if err != nil || !bare {
				return err
			}
			_, err = s.setHead(ctx, workspace)
			return err
		})
	})
}

// setHead makes what is there the head of a workspace, in the transaction of the context, in which the head is locked.
func (s *Sealer) setHead(ctx context.Context, workspace uuid.UUID) (Head, error) {
	q := platformdb.New(s.db.In(ctx))
	counted, err := q.CountSealed(ctx, workspace)
	if err != nil {
		return Head{}, err
	}
	h := Head{Workspace: workspace, Seal: counted.Seq, Rows: counted.Rows, SealedAt: time.Unix(0, 0).UTC()}
	if h.Seal > 0 {
		newest, err := q.FindSeal(ctx, platformdb.FindSealParams{WorkspaceID: workspace, Seq: h.Seal})
		if err != nil {
			return Head{}, err
		}
		h.SealedAt, h.SealMAC = newest.SealedAt, newest.Mac
	}
	h = s.signed(h)
	return h, q.SetSealHead(ctx, platformdb.SetSealHeadParams{WorkspaceID: workspace, Seq: h.Seal, MacRows: &h.Rows, Mac: h.MAC, KeyID: h.KeyID})
}
