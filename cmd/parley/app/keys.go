package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/ops/keystore"
	"github.com/parley/parley/platform/ops/secret"
)

// The purposes of the secret.Box values with which stored data is sealed.
const (
	boxOfAnswers  = "answers with secrets"
	boxOfWebhooks = "webhook secrets"
	boxOfModels   = "model keys"
	boxOfTools    = "tool credentials"
	boxOfEmails   = "letters"
	boxOfSignIns  = "sign-ins" // which only browsers keep
	boxOfFactors  = "second factors"
)

// needsKey lists what is lost with a SECRET_KEY.
const needsKey = "the seals of the audit log, stored webhook secrets, keys of models (without an ENCRYPTION_KEY) and calls that are " +
	"sent again depend on it. Restore it from a backup; if it is lost for good, "

// takeSecrets returns the secret of access tokens and the master secrets. Those that are not configured are kept in the
// data folder, where they are made at the first start.
func takeSecrets(cfg *config.Config) (jwt string, ring secret.Ring, err error) {
	jwt, err = keep(cfg.JWTSecret, cfg.DataDir, "jwt-secret")
	if errors.Is(err, secret.ErrDamaged) {
		return "", ring, fmt.Errorf("JWT_SECRET: %w: restore it from a backup; where it is lost for good, remove it: a new one is made, and all sessions end", err)
	}
	if err != nil {
		return "", ring, fmt.Errorf("JWT_SECRET: %w", err)
	}
	ring, err = ringOf(cfg)
	return jwt, ring, err
}

// ringOf returns the master secrets of a configuration; where no SECRET_KEY is configured, the one in the data folder.
func ringOf(cfg *config.Config) (secret.Ring, error) {
	key, err := keep(cfg.SecretKey, cfg.DataDir, "secret-key")
	if errors.Is(err, secret.ErrDamaged) {
		return secret.Ring{}, fmt.Errorf("SECRET_KEY: %w: %sremove the file, and parley secret adopt --yes makes a new key and has it hold", err, needsKey)
	}
	if err != nil {
		return secret.Ring{}, fmt.Errorf("SECRET_KEY: %w", err)
	}
	return newRing(key, cfg)
}

// presentRing is ringOf for callers that only look: it creates no SECRET_KEY. found is false where there is none.
func presentRing(cfg *config.Config) (ring secret.Ring, found bool, err error) {
	key := cfg.SecretKey
	if key == "" {
		kept, err := os.ReadFile(filepath.Join(cfg.DataDir, "secret-key"))
		if errors.Is(err, fs.ErrNotExist) {
			return ring, false, nil
		}
		if err != nil {
			return ring, false, fmt.Errorf("SECRET_KEY: %w", err)
		}
		key = string(kept)
	}
	ring, err = newRing(key, cfg)
	return ring, err == nil, err
}

// newRing makes a ring of a SECRET_KEY and SECRET_PREVIOUS_KEYS.
func newRing(key string, cfg *config.Config) (secret.Ring, error) {
	current, err := secret.NewMaster(key)
	if err != nil {
		return secret.Ring{}, fmt.Errorf("SECRET_KEY: %w", err)
	}
	var former []secret.Master
	for _, text := range cfg.SecretPrevious {
		m, err := secret.NewMaster(text)
		if err != nil {
			return secret.Ring{}, fmt.Errorf("SECRET_PREVIOUS_KEYS: %w", err)
		}
		former = append(former, m)
		if m, err := secret.NewMaster(strings.TrimSpace(text)); err == nil { // users write a space after a comma
			former = append(former, m)
		}
	}
	return secret.NewRing(current, former...), nil
}

// modelRing returns the ring for keys of models. An ENCRYPTION_KEY is its current key, and keys that SECRET_KEY has
// sealed can still be read.
func modelRing(ring secret.Ring, cfg *config.Config) (secret.Ring, error) {
	if cfg.EncryptionKey == "" {
		return ring, nil
	}
	own, err := secret.NewMaster(cfg.EncryptionKey)
	if err != nil {
		return secret.Ring{}, fmt.Errorf("ENCRYPTION_KEY: %w", err)
	}
	return ring.With(own), nil
}

// keyset is the keys that a database is used with.
type keyset struct {
	secret.Ring
	retired map[string]secret.Keys // by their purpose: keys of a SECRET_KEY that is no longer configured
}

// useKeys returns an error where the configured keys are not those that the database is used with. It also reads the
// retired keys.
func useKeys(ctx context.Context, cfg *config.Config, log *slog.Logger, db *postgres.DB, configured secret.Ring) (keyset, error) {
	store := keystore.Store{DB: db}
	ring, err := store.Use(ctx, configured)
	if errors.Is(err, keystore.ErrAnotherKey) {
		known, err := store.Known(ctx)
		if err != nil {
			return keyset{}, err
		}
		return keyset{}, fmt.Errorf("SECRET_KEY: should be the key that this database was first used with, or was changed to by parley secret rotate (its id is %s, that of this one %s)%s; "+
			"to change it, put the former one into SECRET_PREVIOUS_KEYS: %sparley secret adopt --yes makes the new one hold",
			known, configured.Current().ID(), keptAt(cfg, "secret-key", cfg.SecretKey), needsKey)
	}
	if err != nil {
		return keyset{}, err
	}
	retired, lost, err := store.Retired(ctx, ring)
	if err != nil {
		return keyset{}, err
	}
	if lost > 0 {
		log.WarnContext(ctx, "retired keys cannot be opened: seals of that time cannot be verified", "keys", lost)
	}
	return keyset{ring, retired}, nil
}

// keptAt returns a text that names the file of a secret, for an error message; "" for a configured secret.
func keptAt(cfg *config.Config, name, configured string) string {
	if configured != "" {
		return ""
	}
	return "; now it is the one in " + filepath.Join(cfg.DataDir, name) + ", which is made anew where it is missing"
}

// keep returns a configured secret, or one that is created once and stored in the data folder.
func keep(configured, dir, name string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	return secret.Keep(filepath.Join(dir, name))
}
