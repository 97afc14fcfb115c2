package domain

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// EndUser is somebody who chats with a bot on a web page or in an app.
type EndUser struct {
	ID          uuid.UUID
	ExternalID  *string // the business's own id; nil: an anonymous visitor
	Name        string
	Metadata    json.RawMessage // an object
	CreatedAt   time.Time
	LastTokenAt time.Time
	RevokedAt   *time.Time // nil: not revoked
}

// EndUserToken is what a token of an end user says.
type EndUserToken struct {
	WorkspaceID, EndUserID, KeyID, BotID uuid.UUID
	Origins                              []string // of web pages that may use it
	Turns                                TurnLimits
	IssuedAt, ExpiresAt                  time.Time
}

// TurnLimits are how many turns an end user may begin in a minute and in a day of UTC; 0: no limit.
type TurnLimits struct {
	Minute int `json:"minute,omitempty"`
	Day    int `json:"day,omitempty"`
}

// MaxEndUserTokenLife is the longest life of a token of an end user.
const MaxEndUserTokenLife = time.Hour

const maxEndUserMetadata = 16 << 10 // bytes of JSON without spaces

// Errors of end users.
var (
	ErrOrigin          = errors.New("must be the origin of a web page, such as https://shop.example.com, without a path")
	ErrEndUserMetadata = errors.New("must be an object of at most 16384 bytes of JSON without spaces")
)

// NewOrigin returns the origin of a web page as browsers write it (RFC 6454): in small letters, without the port that its scheme
// has by default.
func NewOrigin(text string) (string, error) {
	u, err := url.Parse(strings.ToLower(text))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "" || u.User != nil ||
		u.Path != "" || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(text, "?") || strings.HasSuffix(text, "#") {
		return "", ErrOrigin
	}
	host := u.Hostname()
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		host = "[" + ip.String() + "]"
	} else if strings.ContainsFunc(host, notOfHost) {
		return "", ErrOrigin
	}
	port := u.Port()
	if port == "" || port == map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		return u.Scheme + "://" + host, nil
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || port[0] == '0' {
		return "", ErrOrigin
	}
	return u.Scheme + "://" + host + ":" + port, nil
}

// notOfHost reports whether a character is none of the name of a host; other scripts are written in Punycode.
func notOfHost(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '-'
}

// CheckEndUserMetadata returns ErrEndUserMetadata for metadata that are not an object or are too large.
func CheckEndUserMetadata(metadata json.RawMessage) error {
	var compact bytes.Buffer
	if json.Compact(&compact, metadata) != nil || compact.Len() > maxEndUserMetadata || compact.Bytes()[0] != '{' {
		return ErrEndUserMetadata
	}
	return nil
}
