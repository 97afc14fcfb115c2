package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
)

// Box seals small texts that have to be read again: AES-256-GCM with random nonces (NIST SP 800-38D), which bears some
// four thousand million texts under one key.
type Box struct{ aead cipher.AEAD }

// boxVersion stands in front of what is sealed, so that another way of sealing can come beside this one.
const boxVersion = 1

// ErrSealed says that a text was not sealed by this key for this context, or has been changed.
var ErrSealed = errors.New("secret: cannot be opened with this key")

// NewBox makes a Box with a key of 32 bytes, as Master.Key gives it.
func NewBox(key []byte) *Box {
	if len(key) != 32 {
		panic("secret: the key of a box has 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("secret: " + err.Error()) // for a wrong length only
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("secret: " + err.Error()) // for a cipher of other than 16-byte blocks only
	}
	return &Box{aead}
}

// Seal makes a text unreadable, and bound to its context: what it is of, such as the id of its row.
func (b *Box) Seal(plain, context []byte) []byte {
	return b.aead.Seal([]byte{boxVersion}, nil, plain, context) //nolint:gosec // it makes its own nonce
}

// Open gives back what was sealed for this context; else ErrSealed.
func (b *Box) Open(sealed, context []byte) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != boxVersion {
		return nil, ErrSealed
	}
	plain, err := b.aead.Open(nil, nil, sealed[1:], context)
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}
