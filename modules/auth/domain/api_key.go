package domain

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// KeyPrefix begins every API key, so that a leaked key is recognized.
const KeyPrefix = "pk_"

// KeyFormat is a regular expression for the text of an API key.
const KeyFormat = KeyPrefix + `[\w-]+`

// APIKey is a key with which a program calls the API. Its text is shown once and not stored.
type APIKey struct {
	ID         uuid.UUID
	Name       string
	Hint       string // how its text begins
	Role       Role
	Bots       []uuid.UUID    // the bots that it is limited to; none: all
	Networks   []netip.Prefix // from which it is good; none: any address
	Limits     KeyLimits      // none: no limits
	KeepsCalls bool           // calls in OpenAI's form that name no thread are kept as threads
	CreatedBy  uuid.UUID
	CreatedAt  time.Time
	ExpiresAt  *time.Time // nil: never
	LastUsedAt *time.Time // to a minute or so
	RevokedAt  *time.Time

	ResponsibleID uuid.UUID  // the member whose authority it depends on
	SuspendedAt   *time.Time // when it was suspended because that authority ended; nil: it is not suspended
}

// Errors of NewAPIKey and APIKey.Change.
var (
	ErrKeyName    = errors.New("must have 1 to 200 characters and not be blank")
	ErrKeyRole    = errors.New("must be editor, viewer, chat or embed")
	ErrKeyExpiry  = errors.New("must lie in the future")
	ErrKeyBotsMax = errors.New("must be 1 to 100 bots")
	ErrKeyKeeps   = errors.New("must be false for a key whose role is not editor or chat: it takes no turns")
	ErrKeyNetwork = errors.New("must be 1 to 50 addresses such as 203.0.113.7 or networks such as 203.0.113.0/24 and 2001:db8::/32, whose bits behind the prefix are 0")
)

// MaxKeyNetworks is how many networks a key may be limited to.
const MaxKeyNetworks = 50

// NewNetworks returns networks by their texts, each an address or CIDR (RFC 4632), without repetitions; ErrKeyNetwork where one is neither.
func NewNetworks(texts []string) ([]netip.Prefix, error) {
	networks := []netip.Prefix{}
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			ip, err := netip.ParseAddr(text)
			if err != nil || ip.Zone() != "" {
				return nil, ErrKeyNetwork
			}
			network = netip.PrefixFrom(ip, ip.BitLen())
		}
		if network.Masked() != network || network.Addr().Is4In6() {
			return nil, ErrKeyNetwork
		}
		if !slices.Contains(networks, network) {
			networks = append(networks, network)
		}
	}
	if len(networks) == 0 || len(networks) > MaxKeyNetworks {
		return nil, ErrKeyNetwork
	}
	return networks, nil
}

// KeyChange is what changes of a key; nil: it stays.
type KeyChange struct {
	Name       *string
	Networks   *[]netip.Prefix // none: any address
	Limits     *KeyLimits
	KeepsCalls *bool
}

// Change changes a key. Errors are ErrKeyName and ErrKeyKeeps.
func (k *APIKey) Change(c KeyChange) error {
	if c.Name != nil {
		k.Name = *c.Name
	}
	if c.Networks != nil {
		k.Networks = *c.Networks
	}
	if c.Limits != nil {
		k.Limits = *c.Limits
	}
	if c.KeepsCalls != nil {
		k.KeepsCalls = *c.KeepsCalls
	}
	return k.check()
}

// check returns the first rule that what can change of a key breaks.
func (k *APIKey) check() error {
	n := utf8.RuneCountInString(k.Name)
	switch {
	case n < 1 || n > 200 || strings.TrimSpace(k.Name) == "":
		return ErrKeyName
	case k.KeepsCalls && !k.Role.takesTurns():
		return ErrKeyKeeps
	}
	return nil
}

// NewAPIKey makes a key and its text, which contains 32 random bytes.
func NewAPIKey(k APIKey, now time.Time) (key APIKey, text string, err error) {
	switch {
	case !isKeyRole(k.Role):
		return APIKey{}, "", ErrKeyRole
	case k.ExpiresAt != nil && !k.ExpiresAt.After(now):
		return APIKey{}, "", ErrKeyExpiry
	case k.Bots != nil && (len(k.Bots) == 0 || len(k.Bots) > 100):
		return APIKey{}, "", ErrKeyBotsMax
	}
	if err := k.check(); err != nil {
		return APIKey{}, "", err
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it never fails
	text = KeyPrefix + base64.RawURLEncoding.EncodeToString(secret)
	k.ID, k.CreatedAt, k.Hint, k.ResponsibleID = uuid.Must(uuid.NewV7()), now, text[:len(KeyPrefix)+6], k.CreatedBy
	return k, text, nil
}

// The roles that only API keys have.
const (
	Chat  Role = "chat"  // takes turns in threads that it made, and sees no others
	Embed Role = "embed" // makes tokens of end users
)

// EndUserRole is the role of end users.
const EndUserRole Role = "end_user"

// KeyRoles returns the roles of API keys.
func KeyRoles() []Role { return []Role{Editor, Viewer, Chat, Embed} }

// takesTurns reports whether API keys with the role take turns.
func (r Role) takesTurns() bool { return r == Editor || r == Chat }

func isKeyRole(r Role) bool { return slices.Contains(KeyRoles(), r) }

// HashOf returns the hash under which a secret of 32 random bytes is stored. A fast hash is enough, because nobody can
// guess 32 random bytes.
func HashOf(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}
