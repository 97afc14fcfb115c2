package secret

import (
	"encoding/hex"
	"slices"
	"time"
)

// KeyID names a master secret, and all keys that are derived from it, without telling anything of them. The zero KeyID is none.
type KeyID [8]byte

// String returns the id in hex, as operators read it; "none" for the zero KeyID.
func (id KeyID) String() string {
	if id == (KeyID{}) {
		return "none"
	}
	return hex.EncodeToString(id[:])
}

// IDOf reads an id as a table has it; the zero KeyID where the column is NULL or of another length.
func IDOf(stored []byte) (id KeyID) {
	if len(stored) == len(id) {
		copy(id[:], stored)
	}
	return id
}

// Print returns a 32-byte fingerprint of the master secret. A database stores the fingerprint of the master secret that
// it is used with.
func (m Master) Print() []byte { return m.Key("print") }

// ID returns the id of the master secret: the first bytes of its print.
func (m Master) ID() KeyID { return KeyID(m.Print()[:len(KeyID{})]) }

// Key is the key for one purpose, with the id of the master secret that it is derived from.
type Key struct {
	ID    KeyID
	Bytes []byte // 32
}

// Keys are the keys for one purpose: the first is the current one, which writes; the others only read what was written before.
type Keys []Key

// Current returns the key that writes.
func (k Keys) Current() Key { return k[0] }

// Find returns the key with an id; false where there is none.
func (k Keys) Find(id KeyID) (Key, bool) {
	i := slices.IndexFunc(k, func(key Key) bool { return key.ID == id })
	if i < 0 {
		return Key{}, false
	}
	return k[i], true
}

// Any reports whether a check succeeds for one of the keys. It tries all keys, so that its time does not reveal which
// one matched.
func (k Keys) Any(check func(key []byte) bool) bool {
	found := false
	for _, key := range k {
		if check(key.Bytes) {
			found = true
		}
	}
	return found
}

// Ring is the current master secret with former ones, which read what was written under them.
type Ring struct {
	masters  []Master // the current one first, each once
	changing bool     // former ones were configured
	// IDsFrom is when boxes begin to write the id of their key. Processes of a release that cannot read one may run beside this
	// one before that. Where there are former keys it does not matter: they are for this release only.
	IDsFrom time.Time
}

// NewRing makes a Ring.
func NewRing(current Master, former ...Master) Ring {
	r := Ring{masters: []Master{current}, changing: len(former) > 0}
	for _, m := range former {
		if !slices.ContainsFunc(r.masters, func(have Master) bool { return have.ID() == m.ID() }) {
			r.masters = append(r.masters, m)
		}
	}
	return r
}

// Current returns the master secret that writes.
func (r Ring) Current() Master { return r.masters[0] }

// Masters returns all master secrets, the current one first.
func (r Ring) Masters() []Master { return slices.Clone(r.masters) }

// With returns a ring of which another master secret is the current one, and all of this one are former ones.
func (r Ring) With(current Master) Ring {
	changed := NewRing(current, r.masters...)
	changed.IDsFrom, changed.changing = r.IDsFrom, r.changing
	return changed
}

// Keys derives the keys for a purpose.
func (r Ring) Keys(purpose string) Keys {
	keys := make(Keys, len(r.masters))
	for i, m := range r.masters {
		keys[i] = Key{m.ID(), m.Key(purpose)}
	}
	return keys
}

// Box makes the box for a purpose.
func (r Ring) Box(purpose string) *Box {
	b := NewBox(r.Keys(purpose))
	if !r.changing {
		b.idsFrom = r.IDsFrom
	}
	return b
}
