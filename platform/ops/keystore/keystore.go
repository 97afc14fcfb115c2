// Package keystore stores what a database knows about the SECRET_KEY that it is used with: its fingerprint, the keys of
// former SECRET_KEYs that still verify, and which texts are sealed with which key.
package keystore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/secret"
)

// ErrAnotherKey says that a database is used with a master secret that is not in the ring.
var ErrAnotherKey = errors.New("keystore: the database is used with another key")

// Purposes of keys that are retired with their master secret. What they have signed cannot be signed again and has to
// be verified later. The keys of operations are needed as long as operations are remembered.
const (
	AuditSeals   = "audit seal"
	Fingerprints = "operation fingerprint"

	fingerprintLife = 100 * 24 * time.Hour
	retiredBox      = "retired keys" // the purpose of the box that they are sealed in
)

// retiredPurposes returns these purposes.
func retiredPurposes() []string { return []string{AuditSeals, Fingerprints} }

// Store reads and writes the key records of a database.
type Store struct{ DB *postgres.DB }

// Use returns the ring with the time from which key ids are written. The first call for a database makes the current
// master secret the one that the database is used with. Later calls require that one to be in the ring, and otherwise
// return ErrAnotherKey.
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

// Known returns the id of the master secret that the database is used with, without setting it; the zero KeyID if there
// is none.
func (s Store) Known(ctx context.Context) (id secret.KeyID, err error) {
	keyPrint, err := platformdb.New(s.DB.In(ctx)).KnownKey(ctx)
	if err != nil {
		return id, fmt.Errorf("read which SECRET_KEY the database is used with: %w", err)
	}
	copy(id[:], keyPrint)
	return id, nil
}

// Adopt makes m the master secret that the database is used with from now on, in the transaction of the context if
// there is one.
func (s Store) Adopt(ctx context.Context, m secret.Master) error {
	return s.DB.WriteOnce(ctx, func(ctx context.Context) error {
		_, err := platformdb.New(s.DB.In(ctx)).AdoptKey(ctx, m.Print())
		return err
	})
}

// Count is the number of texts of a kind that are sealed with a key; the zero KeyID: the texts do not name their key.
type Count struct {
	Kind string
	Key  secret.KeyID
	N    int64
}

// ModelKeys is the kind of Count whose texts an ENCRYPTION_KEY seals, if there is one.
const ModelKeys = "model_keys"

// Sealed returns the counts of sealed texts over all workspaces.
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

// Stale returns the ids of at most limit workspaces with texts that have to be sealed again, in the order of the ids.
func (s Store) Stale(ctx context.Context, mark, modelMark secret.Mark, after uuid.UUID, limit int) ([]uuid.UUID, error) {
	ids, err := platformdb.New(s.DB.In(ctx)).WorkspacesToReseal(ctx, platformdb.WorkspacesToResealParams{
		Mark: mark.Bytes, ModelMark: modelMark.Bytes, After: after, Most: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("look for what has to be sealed anew: %w", err)
	}
	return ids, nil
}

// Retired returns the retired keys by purpose, without the keys of the ring, and the number of keys that cannot be
// opened.
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

// Retire stores those keys of the former master secrets of the ring that are needed later, and seals the stored keys
// with the current one. It returns how many keys it has stored or sealed again.
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
			for _, purpose := range retiredPurposes() {
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
