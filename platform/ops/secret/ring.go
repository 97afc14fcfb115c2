package secret

import (
	"encoding/hex"
	"slices"
	"time"
)

// KeyID identifies a master secret, and all keys that are derived from it, without revealing anything about them. The
// zero KeyID is none.
type KeyID [8]byte

// String returns the id in hex, as operators read it; "none" for the zero KeyID.
func (id KeyID) String() string {
	if id == (KeyID{}) {
		return "none"
	}
	return hex.EncodeToString(id[:])
}

// IDOf returns an id as a table stores it; the zero KeyID if the column is NULL or has another length.
func IDOf(stored []byte) (id KeyID) {
	if len(stored) == len(id) {
		copy(id[:], stored)
	}
	return id
}

// Print returns a 32-byte fingerprint of the master secret. A database stores the fingerprint of the master secret that
// it is used with.
func (m Master) Print() []byte { return m.Key("print") }

// ID returns the id of the master secret: the first bytes of its fingerprint (Print).
func (m Master) ID() KeyID { return KeyID(m.Print()[:len(KeyID{})]) }

// Key is the key for one purpose, with the id of the master secret that it is derived from.
type Key struct {
	ID    KeyID
	Bytes []byte // 32
}

// Keys are the keys for one purpose. The first is the current one, which seals and signs; the others only read what was
// written with them.
type Keys []Key

// Current returns the current key, which seals and signs.
func (k Keys) Current() Key { return k[0] }

// Find returns the key with an id; false if there is none.
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

// Ring is the current master secret and the former ones, which only read what was written with them.
type Ring struct {
	masters  []Master // the current one first, each once
	changing bool     // former ones were configured
	// IDsFrom is the time from which boxes write the id of their key. Until then, processes of a release that cannot
	// read such texts may run beside this one. It does not apply if there are former keys, which only this release
	// supports.
	IDsFrom time.Time
}

// NewRing returns a Ring.
func NewRing(current Master, former ...Master) Ring {
	r := Ring{masters: []Master{current}, changing: len(former) > 0}
	for _, m := range former {
		if !slices.ContainsFunc(r.masters, func(have Master) bool { return have.ID() == m.ID() }) {
			r.masters = append(r.masters, m)
		}
	}
	return r
}

// Current returns the current master secret.
func (r Ring) Current() Master { return r.masters[0] }

// Masters returns all master secrets, the current one first.
func (r Ring) Masters() []Master { return slices.Clone(r.masters) }

// With returns a ring with another current master secret, in which all master secrets of this ring are former ones.
func (r Ring) With(current Master) Ring {
	changed := NewRing(current, r.masters...)
	changed.IDsFrom, changed.changing = r.IDsFrom, r.changing
	return changed
}

// Keys returns the keys for a purpose.
func (r Ring) Keys(purpose string) Keys {
	keys := make(Keys, len(r.masters))
	for i, m := range r.masters {
		keys[i] = Key{m.ID(), m.Key(purpose)}
	}
	return keys
}

// Box returns the box for a purpose.
func (r Ring) Box(purpose string) *Box {
	b := NewBox(r.Keys(purpose))
	if !r.changing {
		b.idsFrom = r.IDsFrom
	}
	return b
}
