// Package secret derives keys for single purposes from one master secret (HKDF-SHA-256, RFC 5869). No key serves two
// purposes, and a change of JWT_SECRET invalidates no fingerprint and no cursor.
package secret

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// minLength is the minimum length of a secret in bytes.
const minLength = 32

// Master is the secret that other keys are derived from.
type Master struct{ bytes []byte }

// NewMaster takes a secret of at least MinLength bytes.
func NewMaster(secret string) (Master, error) {
	if len(secret) < minLength {
		return Master{}, fmt.Errorf("must have at least %d bytes, has %d", minLength, len(secret))
	}
	return Master{[]byte(secret)}, nil
}

// Key returns the 32-byte key for a purpose.
func (m Master) Key(purpose string) []byte {
	key, err := hkdf.Key(sha256.New, m.bytes, nil, "parley/"+purpose, 32)
	if err != nil {
		panic("secret: HKDF refuses 32 bytes: " + err.Error()) // only for lengths beyond 255 hashes
	}
	return key
}

// Format is a regular expression that matches secrets that Keep creates.
const Format = `\b[0-9a-f]{64}\b`

// ErrDamaged says that the file of a secret has fewer than MinLength bytes.
var ErrDamaged = fmt.Errorf("is damaged (it has fewer than %d bytes)", minLength)

// Keep returns the secret in a file. The first time it creates one: 32 random bytes in hex, mode 0600. Two processes
// that create it at once receive the same one. It returns ErrDamaged for a file that is too short, and leaves the file
// unchanged.
func Keep(path string) (string, error) {
	if secret, err := os.ReadFile(path); err == nil {
		if len(secret) < minLength {
			return "", fmt.Errorf("%s %w", path, ErrDamaged)
		}
		return string(secret), nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	raw := make([]byte, minLength)
	_, _ = rand.Read(raw) // never fails (crypto/rand)
	secret := hex.EncodeToString(raw)
	tmp, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // mode 0600
	if err != nil {
		return "", fmt.Errorf("make a secret: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(secret)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return "", fmt.Errorf("make a secret: %w", err)
	}
	if err := os.Link(tmp.Name(), path); errors.Is(err, fs.ErrExist) {
		return Keep(path) // another process was first
	} else if err != nil {
		return "", fmt.Errorf("make a secret: %w", err)
	}
	return secret, nil
}
