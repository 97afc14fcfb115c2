package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// EmbeddingKey is a workspace's own server of an embedding model, with its key. The key is never shown again and is in no
// log.
type EmbeddingKey struct {
	Model      string
	BaseURL    *string // nil: OpenAI's public API
	Dimensions int     // that are asked for; 0: those of the model
	CreatedAt  time.Time

	secret, lastFour string
}

// Errors of own servers of embedding models.
var (
	ErrEmbeddingKey        = errors.New("must have 8 to 500 visible ASCII characters")
	ErrEmbeddingModel      = errors.New("must have 1 to 200 visible ASCII characters")
	ErrEmbeddingDimensions = errors.New("must be from 1 to 4096")
)

const (
	minKey, maxKey = 8, 500
	maxModelName   = 200
	maxDimensions  = 4096
	shownOfKey     = 4 // characters
)

// NewEmbeddingKey returns a key, or the fields that are wrong.
func NewEmbeddingKey(secret, model string, baseURL *string, dimensions *int, now time.Time) (EmbeddingKey, []WrongField) {
	k := EmbeddingKey{Model: model, BaseURL: baseURL, CreatedAt: now, secret: secret}
	var wrong []WrongField
	if len(secret) < minKey || len(secret) > maxKey || !isVisible(secret) {
		wrong = append(wrong, WrongField{"api_key", ErrEmbeddingKey})
	} else {
		k.lastFour = secret[len(secret)-shownOfKey:]
	}
	if model == "" || len(model) > maxModelName || !isVisible(model) {
		wrong = append(wrong, WrongField{"model", ErrEmbeddingModel})
	}
	if dimensions != nil {
		if k.Dimensions = *dimensions; k.Dimensions < 1 || k.Dimensions > maxDimensions {
			wrong = append(wrong, WrongField{"dimensions", ErrEmbeddingDimensions})
		}
	}
	return k, wrong
}

func isVisible(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// RestoreEmbeddingKey returns a stored key. The secret is empty where the key is only shown.
func RestoreEmbeddingKey(k EmbeddingKey, secret, lastFour string) EmbeddingKey {
	k.secret, k.lastFour = secret, lastFour
	return k
}

// Secret returns the key itself; empty for one that is only shown.
func (k EmbeddingKey) Secret() string { return k.secret }

// LastFour returns the last four characters, by which users recognize the key.
func (k EmbeddingKey) LastFour() string { return k.lastFour }

// OwnSpace is what the spaces of workspaces' own servers begin with. No model of the operator has such a name.
const OwnSpace = "own:"

// Space identifies the vectors that the server makes. Those of another address, model or number of dimensions, and those of
// the operator's model of the same name, have another space: they are never compared with each other.
func (k EmbeddingKey) Space() string {
	base := ""
	if k.BaseURL != nil {
		base = *k.BaseURL
	}
	sum := sha256.Sum256([]byte(base + "\x00" + strconv.Itoa(k.Dimensions)))
	return OwnSpace + hex.EncodeToString(sum[:8]) + "/" + k.Model
}

// EmbeddingTest is the result of the test of a workspace's own server.
type EmbeddingTest struct {
	Code, Message, ProviderCode string // empty: it works, or the server has sent none
	Dimensions                  int    // of the vector; 0: it does not work
	Latency                     time.Duration
}
