// Package keystore keeps what a database knows of the SECRET_KEY that it is used with: its print, keys of former ones that still
// verify, and what is sealed under which.
package keystore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/postgres"
	"github.com/parley/parley/platform/secret"
)

// ErrAnotherKey says that a database is used with a master secret that is not in the ring.
var ErrAnotherKey = errors.New("keystore: the database is used with another key")

// Purposes of keys that are retired with their master secret: what they have signed cannot be signed anew, and has to be verified
// later. Those of operations are needed for as long as an operation is remembered.
const (
	AuditSeals   = "audit seal"
	Fingerprints = "operation fingerprint"

	fingerprintLife = 100 * 24 * time.Hour
	retiredBox      = "retired keys" // the purpose of the box that they are sealed in
)

// RetiredPurposes lists them.
func RetiredPurposes() []string { return []string{AuditSeals, Fingerprints} }

// Store is what the database knows.
type Store struct{ DB *postgres.DB }

// Use returns the ring with the time from which ids of keys are written. The first that uses a database makes the current master
// secret the one that it is used with; later one of the ring has to be it, else the error is ErrAnotherKey.
func (s Store) Use(ctx context.Context, ring secret.Ring) (secret.Ring, error) {
	var row platformdb.InstallationKeyRow
	err := s.DB.WriteOnce(ctx, func(ctx context.Context) (err error) {
		row, err = platformdb.New(s.DB.In(ctx)).InstallationKey(ctx, ring.Current().Print())
		return err
	})
	if err != nil {
		return ring, fmt.Errorf("compare SECRET_KEY with the one that the database knows: %w", err)
	}
	if !has(ring, row.KeyPrint) {
		return ring, ErrAnotherKey
	}
	ring.IDsFrom = row.IdsFrom
	return ring, nil
}

func has(ring secret.Ring, keyPrint []byte) bool {
	for _, m := range ring.Masters() {
		if bytes.Equal(m.Print(), keyPrint) { // prints are no secrets
			return true
		}
	}
	return false
}

// Known returns the id of the master secret that the database is used with, without making one; the zero KeyID where there is none.
func (s Store) Known(ctx context.Context) (id secret.KeyID, err error) {
	keyPrint, err := platformdb.New(s.DB.In(ctx)).KnownKey(ctx)
	if err != nil {
		return id, fmt.Errorf("read which SECRET_KEY the database is used with: %w", err)
	}
	copy(id[:], keyPrint)
	return id, nil
}

// Adopt makes a master secret the one that the database is used with from now on, in the transaction of the context if there is one.
func (s Store) Adopt(ctx context.Context, m secret.Master) error {
	return s.DB.WriteOnce(ctx, func(ctx context.Context) error {
		_, err := platformdb.New(s.DB.In(ctx)).AdoptKey(ctx, m.Print())
		return err
	})
}

// Count is how many texts of a kind are sealed under a key; the zero KeyID: they do not say.
type Count struct {
	Kind string
	Key  secret.KeyID
	N    int64
}

// ModelKeys is the kind of Count that an ENCRYPTION_KEY seals, where there is one.
const ModelKeys = "model_keys"

// Sealed counts what is sealed in all workspaces.
func (s Store) Sealed(ctx context.Context) ([]Count, error) {
	rows, err := platformdb.New(s.DB.In(ctx)).SealedKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("count what is sealed under which key: %w", err)
	}
	counts := make([]Count, len(rows))
	for i, r := range rows {
		counts[i] = Count{r.Kind, secret.IDOf(r.Key), r.Count}
	}
	return counts, nil
}

// Stale returns the ids of so many workspaces with something that has to be sealed anew, in the order of the ids.
func (s Store) Stale(ctx context.Context, mark, modelMark secret.Mark, after uuid.UUID, limit int) ([]uuid.UUID, error) {
	ids, err := platformdb.New(s.DB.In(ctx)).WorkspacesToReseal(ctx, platformdb.WorkspacesToResealParams{
		Mark: mark.Bytes, ModelMark: modelMark.Bytes, After: after, Most: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("look for what has to be sealed anew: %w", err)
	}
	return ids, nil
}

// Retired returns the retired keys by purpose, without those that the ring has, and how many cannot be opened.
func (s Store) Retired(ctx context.Context, ring secret.Ring) (keys map[string]secret.Keys, lost int, err error) {
	rows, err := platformdb.New(s.DB.In(ctx)).RetiredKeys(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("read the retired keys: %w", err)
	}
	box := ring.Box(retiredBox)
	keys = map[string]secret.Keys{}
	for _, r := range rows {
		id := secret.IDOf(r.KeyID)
		if _, found := ring.Keys(r.Purpose).Find(id); found || r.Purpose == Fingerprints && time.Since(r.RetiredAt) > fingerprintLife {
			continue
		}
		plain, err := box.Open(r.Sealed, retiredFor(id, r.Purpose))
		if err != nil {
			lost++
			continue
		}
		keys[r.Purpose] = append(keys[r.Purpose], secret.Key{ID: id, Bytes: plain})
	}
	return keys, lost, nil
}

func retiredFor(id secret.KeyID, purpose string) []byte { return append(id[:], purpose...) }

// Retire stores the keys of all former master secrets of the ring that are needed later, and seals those that are stored with the
// current one. It returns how many it has stored or sealed anew.
func (s Store) Retire(ctx context.Context, ring secret.Ring) (n int, err error) {
	box := secret.NewBox(ring.Keys(retiredBox))
	err = s.DB.Write(ctx, func(ctx context.Context) error {
		q := platformdb.New(s.DB.In(ctx))
		rows, err := q.RetiredKeys(ctx)
		if err != nil {
			return err
		}
		stored := map[string]bool{}
		for _, r := range rows {
			stored[string(retiredFor(secret.IDOf(r.KeyID), r.Purpose))] = true
			again, err := box.Reseal(r.Sealed, retiredFor(secret.IDOf(r.KeyID), r.Purpose))
			if err != nil || again == nil { // what cannot be opened stays, and is counted as sealed under its key
				continue
			}
			n++
			if err := q.RetireKey(ctx, platformdb.RetireKeyParams{KeyID: r.KeyID, Purpose: r.Purpose, Sealed: again}); err != nil {
				return err
			}
		}
		for _, m := range ring.Masters()[1:] {
			for _, purpose := range RetiredPurposes() {
				id := m.ID()
				if stored[string(retiredFor(id, purpose))] {
					continue
				}
				n++
				sealed := box.Seal(m.Key(purpose), retiredFor(id, purpose))
				if err := q.RetireKey(ctx, platformdb.RetireKeyParams{KeyID: id[:], Purpose: purpose, Sealed: sealed}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("retire the keys of a former SECRET_KEY: %w", err)
	}
	return n, nil
}
