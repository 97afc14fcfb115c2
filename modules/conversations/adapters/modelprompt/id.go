package modelprompt

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/google/uuid"
)

const (
	idLength   = 9
	idAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// idOf makes the id of a call from its place, so that it is the same in each prompt, whatever provider has made the call. Providers
// may cache what they have read before, and some refuse the ids of others.
func (b *builder) idOf(answer uuid.UUID, step, call int) string {
	place := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(answer[:], uint32(step)), uint32(call))
	for {
		sum := sha256.Sum256(place)
		id := make([]byte, idLength)
		for i := range id {
			id[i] = idAlphabet[int(sum[i])%len(idAlphabet)]
		}
		if !b.taken[string(id)] {
			b.taken[string(id)] = true
			return string(id)
		}
		place = sum[:]
	}
}
