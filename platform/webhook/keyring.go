package webhook

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/platform/secret"
)

// Keyring is the secrets of one endpoint or subscription, the newest first, sealed, as they are stored.
type Keyring []Key

// Key is one of them.
type Key struct {
	Sealed []byte     `json:"sealed"`
	Until  *time.Time `json:"until,omitempty"` // nil for the newest alone, which is good until it is rotated
}

// maxKeys is how many secrets are good at once: however often somebody rotates, a keyring stays short.
const maxKeys = 5

// Keys makes and opens keyrings.
type Keys struct{ Box *secret.Box }

// New makes a keyring for its owner, and the secret that is in it: nobody can be shown it again.
func (k Keys) New(owner uuid.UUID) (ring Keyring, shown string) {
	shown = NewSecret()
	return Keyring{{Sealed: k.Box.Seal([]byte(shown), owner[:])}}, shown
}

// Rotate puts a new secret in front; the one that was there stays good for a while more.
func (k Keys) Rotate(ring Keyring, owner uuid.UUID, overlap time.Duration, now time.Time) (rotated Keyring, shown string) {
	rotated, shown = k.New(owner)
	until := now.Add(overlap)
	for _, key := range ring {
		if key.Until == nil || key.Until.After(until) {
			key.Until = &until
		}
		if key.Until.After(now) && len(rotated) < maxKeys {
			rotated = append(rotated, key)
		}
	}
	return rotated, shown
}

// Open gives the secrets that are good now, the newest first.
func (k Keys) Open(ring Keyring, owner uuid.UUID, now time.Time) ([]string, error) {
	secrets := make([]string, 0, len(ring))
	for _, key := range ring {
		if key.Until != nil && !key.Until.After(now) {
			continue
		}
		plain, err := k.Box.Open(key.Sealed, owner[:])
		if err != nil {
			return nil, fmt.Errorf("open a secret: %w", err)
		}
		secrets = append(secrets, string(plain))
	}
	return secrets, nil
}

// Reseal seals the secrets of a keyring, as it is stored, with the current key, and counts them. It returns nil where nothing is to
// be stored; secrets that cannot be opened stay as they are.
func (k Keys) Reseal(stored []byte, owner uuid.UUID, batch *secret.Batch) ([]byte, error) {
	var ring Keyring
	if err := json.Unmarshal(stored, &ring); err != nil {
		return nil, fmt.Errorf("read a keyring: %w", err)
	}
	changed := false
	for i, key := range ring {
		if sealed, err := k.Box.Reseal(key.Sealed, owner[:]); batch.Count(sealed, err) {
			ring[i].Sealed, changed = sealed, true
		}
	}
	if !changed {
		return nil, nil
	}
	return json.Marshal(ring)
}
