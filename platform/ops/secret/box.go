package secret

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Box encrypts small texts that have to be read again, with AES-256-GCM and random nonces (NIST SP 800-38D), which
// allows about 2^32 texts under one key. It seals with its current key and opens texts that any of its keys has sealed.
// It is safe for concurrent use.
type Box struct {
	keys    []boxKey  // the current one first
	idsFrom time.Time // before it sealed texts have no id of their key
}

type boxKey struct {
	id   KeyID
	aead cipher.AEAD
}

// What a sealed text begins with: its version. A text of version 1 goes on with the nonce; one of version 2 has the id of its key
// before that.
const (
	withoutID = 1
	withID    = 2

	idEnd = 1 + len(KeyID{}) // bytes of a text of version 2 before its nonce: a multiple of 3, as Mark needs
)

var (
	// ErrSealed says that a text was not sealed by a key of the box for this context, or has been changed.
	ErrSealed = errors.New("secret: cannot be opened with this key")
	// ErrUnknownKey is the ErrSealed of a text that names a key which the box does not have.
	ErrUnknownKey = fmt.Errorf("%w: it was sealed with another one", ErrSealed)
)

// NewBox returns a Box with keys of 32 bytes each.
func NewBox(keys Keys) *Box {
	b := &Box{}
	for _, key := range keys {
		if len(key.Bytes) != 32 {
			panic("secret: the key of a box has 32 bytes")
		}
		block, err := aes.NewCipher(key.Bytes)
		if err != nil {
			panic("secret: " + err.Error()) // for a wrong length only
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			panic("secret: " + err.Error()) // for a cipher of other than 16-byte blocks only
		}
		b.keys = append(b.keys, boxKey{key.ID, aead})
	}
	return b
}

// Seal encrypts a text and binds it to its context, such as the id of its row.
func (b *Box) Seal(plain, context []byte) []byte {
	if time.Now().Before(b.idsFrom) {
		return b.keys[0].aead.Seal([]byte{withoutID}, nil, plain, context) //nolint:gosec // it makes its own nonce
	}
	return b.keys[0].aead.Seal(b.prefix(), nil, plain, context) //nolint:gosec // the same
}

// prefix is what every text begins with that is sealed with the current key and its id.
func (b *Box) prefix() []byte { return append([]byte{withID}, b.keys[0].id[:]...) }

// Open returns the text that was sealed for this context. It returns ErrSealed if it cannot, or ErrUnknownKey, which
// wraps it, if the text names an unknown key.
func (b *Box) Open(sealed, context []byte) ([]byte, error) {
	id, cut := KeyID{}, 1
	switch {
	case len(sealed) > 0 && sealed[0] == withoutID:
	case len(sealed) >= idEnd && sealed[0] == withID:
		id, cut = KeyID(sealed[1:idEnd]), idEnd
	default:
		return nil, ErrSealed
	}
	tried := false
	for _, key := range b.keys {
		if cut == idEnd && key.id != id { // the id is no secret
			continue
		}
		tried = true
		if plain, err := key.aead.Open(nil, nil, sealed[cut:], context); err == nil {
			return plain, nil
		}
	}
	if !tried {
		return nil, fmt.Errorf("%w: %s, which is neither SECRET_KEY nor one of SECRET_PREVIOUS_KEYS", ErrUnknownKey, id)
	}
	return nil, ErrSealed
}

// Reseal returns a text sealed with the current key and its id; nil if the text is sealed so already. Its errors are
// those of Open.
func (b *Box) Reseal(sealed, context []byte) ([]byte, error) {
	if bytes.HasPrefix(sealed, b.prefix()) {
		return nil, nil
	}
	plain, err := b.Open(sealed, context)
	if err != nil {
		return nil, err
	}
	return b.keys[0].aead.Seal(b.prefix(), nil, plain, context), nil //nolint:gosec // it makes its own nonce
}

// Mark is the prefix of texts that need no Reseal: as bytes, and in base64.
type Mark struct {
	Bytes  []byte
	Base64 string
}

// Mark returns the mark of the current key.
func (b *Box) Mark() Mark {
	return Mark{b.prefix(), base64.StdEncoding.EncodeToString(b.prefix())}
}

// Batch is the result of resealing some texts of a workspace.
type Batch struct {
	Resealed int
	Stuck    int    // that their key does not open, or none where they name none; they stay as they are
	Next     string // the position after the last one; "" where none follows
}

// Count counts a text by the result of Reseal, and returns whether the new text is to be stored. It does not count a
// text of an unknown key.
func (b *Batch) Count(again []byte, err error) (store bool) {
	switch {
	case err == nil && again != nil:
		b.Resealed++
		return true
	case err != nil && !errors.Is(err, ErrUnknownKey):
		b.Stuck++
	}
	return false
}

// Resealer seals some texts of one kind in the workspace of the context again, in one transaction: at most limit after
// a position, "" at first.
type Resealer func(ctx context.Context, after string, limit int) (Batch, error)

// PositionOf parses a position that is an id; the position "" is before all ids.
func PositionOf(after string) (uuid.UUID, error) {
	if after == "" {
		return uuid.Nil, nil
	}
	return uuid.Parse(after)
}
