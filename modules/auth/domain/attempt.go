package domain

import (
	"net/netip"
	"time"

	"github.com/google/uuid"
)

// DeviceLife is how long a device token is valid after the log-in that issued it.
const DeviceLife = 180 * 24 * time.Hour

// Origin is where an attempt to log in to an account comes from.
type Origin struct {
	Account string // the address, with or without an account; for a signed-in user, the user's id
	IP      netip.Addr
	// Trusted names a device or session that the account already knows; "" where there is none. It has a limit of its
	// own, which attempts from elsewhere do not use up.
	Trusted string
}

// Attempt is one try of a password, and the counters that its failure adds to.
type Attempt struct {
	Counter string    // counts failures of this account and origin
	Account string    // counts failures of all unknown networks of the account; "": does not apply
	Network string    // is stored when the password is right; "": nothing is stored
	Begun   time.Time // by the clock of the database
}

// Network returns the network under which an address is stored: its /24 for IPv4, its /64 for IPv6, which one customer
// has. It returns "" for no address.
func Network(ip netip.Addr) string { return prefix(ip, 64) }

// Known returns the attempt of a trusted origin, or of a network from which the account was logged in to before.
func (o Origin) Known() Attempt {
	if o.Trusted != "" {
		return Attempt{Counter: o.Trusted + " of " + o.Account, Network: Network(o.IP)}
	}
	return Attempt{Counter: "network " + Network(o.IP) + " of " + o.Account, Network: Network(o.IP)}
}

// Unknown returns the attempt of any other origin. Its failures are counted by /24 or /48, because one customer of a
// provider may have a whole /48.
func (o Origin) Unknown() Attempt {
	return Attempt{Counter: "strangers of " + prefix(o.IP, 48) + " to " + o.Account, Account: o.Account, Network: Network(o.IP)}
}

// prefix returns the network of an address: the /24 of IPv4, or that many bits of IPv6.
func prefix(ip netip.Addr, bits int) string {
	if !ip.IsValid() {
		return ""
	}
	if ip.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(ip, bits).Masked().String()
}

// Device is a client that has logged in to an account, as its token states.
type Device struct {
	ID       uuid.UUID
	UserID   uuid.UUID
	Password string // a print of the hash that the account's password had: a new password makes the token worthless
	IssuedAt time.Time
}
