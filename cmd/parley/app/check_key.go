package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/ops/keystore"
	"github.com/parley/parley/platform/ops/secret"
)

const checkedKey = "secret key" // the name of its line

// checkKey adds the result for SECRET_KEY where the database, the first of the results, is available.
func checkKey(ctx context.Context, cfg *config.Config, db *postgres.DB, results []result) []result {
	if results[0].err != nil {
		return results
	}
	r := result{name: checkedKey}
	err := <-inTime(ctx, checkTimeout, func(ctx context.Context) (err error) {
		r.note, err = keyState(ctx, cfg, db)
		return err
	})
	return append(results, result{name: checkedKey, err: err, note: r.note})
}

// keyState returns an error where the configured keys do not fit the database or what is stored was sealed with other
// keys. Its note says what is left to do.
func keyState(ctx context.Context, cfg *config.Config, db *postgres.DB) (note string, err error) {
	store := keystore.Store{DB: db}
	known, err := store.Known(ctx)
	if err != nil {
		return "", err
	}
	ring, found, err := presentRing(cfg)
	switch {
	case err != nil:
		return "", err
	case !found && known == secret.KeyID{}:
		return "", nil // no server has used this database yet
	case !found:
		return "", fmt.Errorf("SECRET_KEY is not set and DATA_DIR holds none, and the database is used with the key %s", known)
	}
	masters := map[secret.KeyID]bool{}
	for _, m := range ring.Masters() {
		masters[m.ID()] = true
	}
	if known != (secret.KeyID{}) && !masters[known] {
		return "", fmt.Errorf("the database is used with the key %s, and SECRET_KEY is %s: set that one, or put it into SECRET_PREVIOUS_KEYS", known, ring.Current().ID())
	}
	lines, err := compareKeys(ctx, store, ring, cfg)
	if err != nil {
		return "", err
	}
	var lost, former []string
	for _, line := range lines {
		switch {
		case line.State == "unknown":
			lost = append(lost, line.String())
		case line.State == "former" || line.State == "unnamed" && len(masters) > 1:
			former = append(former, line.String())
		}
	}
	if len(lost) > 0 {
		return "", errors.New(strings.Join(lost, "; ") + ": put the key into SECRET_PREVIOUS_KEYS and run parley secret rotate")
	}
	if len(former) > 0 || known != ring.Current().ID() && known != (secret.KeyID{}) {
		return strings.Join(append(former, "SECRET_PREVIOUS_KEYS is still needed, until parley secret rotate has run"), "; "), nil
	}
	return "", nil
}
