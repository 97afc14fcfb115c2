// Package compare hashes and compares the contents of bots in standard formats: RFC 8785, unified diff, RFC 6902.
package compare

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/aymanbagabas/go-udiff"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/wI2L/jsondiff"

	"github.com/parley/parley/modules/bots/domain"
)

// Comparer compares the contents of bots.
type Comparer struct{}

// Hash returns the SHA-256, in hex, of the canonical form (RFC 8785) of instruction and settings. Two numbers are the
// same where they are the same double.
func (Comparer) Hash(c domain.Content) (string, error) {
	content, err := json.Marshal(map[string]any{"instruction": c.Instruction(), "settings": c.Settings()})
	if err != nil {
		return "", fmt.Errorf("encode the content: %w", err)
	}
	canonical := jsontext.Value(content)
	if err := canonical.Canonicalize(); err != nil {
		return "", fmt.Errorf("bring the content into its canonical form: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

// Diff returns a unified diff of the instructions and a JSON patch (RFC 6902) of the settings.
func (Comparer) Diff(a, b domain.Version) (domain.Difference, error) {
	patch, err := jsondiff.CompareJSON(a.Content.Settings(), b.Content.Settings(), jsondiff.UnmarshalFunc(exactly))
	if err != nil {
		return domain.Difference{}, fmt.Errorf("compare the settings: %w", err)
	}
	settings := []byte("[]")
	if len(patch) > 0 {
		if settings, err = json.Marshal(patch); err != nil {
			return domain.Difference{}, fmt.Errorf("encode the patch: %w", err)
		}
	}
	return domain.Difference{
		Instruction: udiff.Unified(label(a), label(b), a.Content.Instruction(), b.Content.Instruction()),
		Settings:    settings,
	}, nil
}

func label(v domain.Version) string { return fmt.Sprintf("version %d", v.Number) }

// exactly reads JSON without rounding its numbers.
func exactly(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decoder.Decode(into)
}
