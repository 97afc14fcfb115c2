package domain

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"
)

const (
	setUpPrefix = "set_"
	setUpLife   = 24 * time.Hour
	setUpTime   = 8 // bytes
)

// SetUpFormat is a regular expression for the token of a set-up link.
const SetUpFormat = setUpPrefix + `[\w-]{40,}`

// NewSetUpToken makes the token of a link to make the first account. Nothing is stored: the token says until when it is
// valid, and whoever has the key reads it. It is of no use once there is an account.
func NewSetUpToken(key []byte, now time.Time) (token string, until time.Time) {
	until = now.Add(setUpLife).Truncate(time.Second)
	text := binary.BigEndian.AppendUint64(nil, uint64(until.Unix()))
	return setUpPrefix + base64.RawURLEncoding.EncodeToString(append(text, setUpMAC(key, text)...)), until
}

// IsSetUpToken reports whether a token was made with a key and is still valid.
func IsSetUpToken(key []byte, token string, now time.Time) bool {
	encoded, ok := strings.CutPrefix(token, setUpPrefix)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(raw) != setUpTime+sha256.Size || !hmac.Equal(raw[setUpTime:], setUpMAC(key, raw[:setUpTime])) {
		return false
	}
	return now.Before(time.Unix(int64(binary.BigEndian.Uint64(raw)), 0))
}

func setUpMAC(key, text []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(text)
	return mac.Sum(nil)
}
