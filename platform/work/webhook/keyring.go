package webhook

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/platform/ops/secret"
)

// Keyring holds the sealed secrets of one endpoint or subscription, newest first, as they are stored.
type Keyring []Key

// Key is one secret of a Keyring.
type Key struct {
	Sealed []byte     `json:"sealed"`
	Until  *time.Time `json:"until,omitempty"` // nil for the newest alone, which is good until it is rotated
}

// maxKeys is the maximum number of secrets that are valid at once, which bounds the size of a keyring after frequent
// rotation.
const maxKeys = 5

// Keys creates and opens keyrings.
type Keys struct{ Box *secret.Box }

// New returns a keyring for its owner, and the secret in it, which cannot be shown again.
func (k Keys) New(owner uuid.UUID) (ring Keyring, shown string) {
	shown = NewSecret()
	return Keyring{{Sealed: k.Box.Seal([]byte(shown), owner[:])}}, shown
}

// Rotate adds a new secret as the first one. The previous secret stays valid for the duration overlap.
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

// Open returns the secrets that are valid now, newest first.
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

// Reseal seals the secrets of a stored keyring with the current key, and counts them in batch. It returns nil if there
// is nothing to store. Secrets that cannot be opened stay unchanged.
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
