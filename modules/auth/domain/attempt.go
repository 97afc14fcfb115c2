package domain

import (
	"net/netip"
	"time"

	"github.com/google/uuid"
)

// DeviceLife is how long a device token is good after the log-in that gave it.
const DeviceLife = 180 * 24 * time.Hour

// Origin is where a password for an account comes from.
type Origin struct {
	Account string // the address, whether anybody has it or not; of somebody who is signed in their id
	IP      netip.Addr
	// Trusted names what the account knows already, a device or a session; "" where it is nothing of that kind. It is
	// limited by itself, whatever comes from elsewhere.
	Trusted string
}

// Attempt is a password that is tried, and what its failure counts for.
type Attempt struct {
	Counter string    // counts failures of this account and origin
	Account string    // counts those of all unknown networks of the account; "": it is not one of them
	Network string    // is remembered when the password is right; "": nothing is
	Begun   time.Time // by the clock of the database
}

// Network gives the network that an address is remembered by: its /24, or the /64 that one customer has; "" for no address.
func Network(ip netip.Addr) string { return prefix(ip, 64) }

// Known is an attempt of a trusted origin, or from a network that the account was logged in to from before.
func (o Origin) Known() Attempt {
	if o.Trusted != "" {
		return Attempt{Counter: o.Trusted + " of " + o.Account, Network: Network(o.IP)}
	}
	return Attempt{Counter: "network " + Network(o.IP) + " of " + o.Account, Network: Network(o.IP)}
}

// Unknown is an attempt from elsewhere. Failures are counted by /24 or /48, which one provider's customer may have whole.
func (o Origin) Unknown() Attempt {
	return Attempt{Counter: "strangers of " + prefix(o.IP, 48) + " to " + o.Account, Account: o.Account, Network: Network(o.IP)}
}

// prefix gives the network of an address: /24 of IPv4, or so many bits of IPv6.
func prefix(ip netip.Addr, bits int) string {
	if !ip.IsValid() {
		return ""
	}
	if ip.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(ip, bits).Masked().String()
}

// Device is a client that has logged in to an account, as its token says.
type Device struct {
	ID       uuid.UUID
	UserID   uuid.UUID
	Password string // a print of the hash that the account's password had: a new password makes the token worthless
	IssuedAt time.Time
}
