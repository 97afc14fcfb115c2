// Package devices makes and reads device tokens. A device token shows at log-in that the client has logged in to the
// account before. A token alone gives no access. It is not stored: it names user, device and time, and is authenticated
// with a key.
package devices

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/ops/secret"
)

const prefix = "dev_"

// Format is a regular expression for device tokens.
const Format = prefix + `[\w-]+`

// A token is device, user, print of the password's hash, time of issue, and the code over all of them.
const (
	printAt = 32
	timeAt  = printAt + 16
	macAt   = timeAt + 8
	length  = macAt + sha256.Size
)

// Devices makes and reads device tokens. It is safe for concurrent use.
type Devices struct {
	Keys secret.Keys
	Now  func() time.Time
}

// Issue makes a token for the account whose password was right. A device that sent a valid token keeps its id.
func (d Devices) Issue(user uuid.UUID, passwordHash, earlier string) string {
	device := uuid.New()
	if known, ok := d.Read(earlier); ok && d.fits(known, user, passwordHash) {
		device = known.ID
	}
	raw := make([]byte, 0, length)
	raw = append(raw, device[:]...)
	raw = append(raw, user[:]...)
	key := d.Keys.Current().Bytes
	raw = append(raw, printOf(key, passwordHash)...)
	raw = binary.BigEndian.AppendUint64(raw, uint64(d.Now().Unix()))
	return prefix + base64.RawURLEncoding.EncodeToString(append(raw, macOf(key, "token", raw)...))
}

// Read returns the device of a token, for any account. It returns false for a token that was not made here or is too
// old.
func (d Devices) Read(token string) (domain.Device, bool) {
	text, ok := strings.CutPrefix(token, prefix)
	if !ok || len(text) != base64.RawURLEncoding.EncodedLen(length) {
		return domain.Device{}, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || !d.Keys.Any(func(key []byte) bool { return hmac.Equal(raw[macAt:], macOf(key, "token", raw[:macAt])) }) {
		return domain.Device{}, false
	}
	issued := time.Unix(int64(binary.BigEndian.Uint64(raw[timeAt:macAt])), 0)
	device := domain.Device{
		ID: uuid.UUID(raw[:16]), UserID: uuid.UUID(raw[16:printAt]), Password: string(raw[printAt:timeAt]), IssuedAt: issued,
	}
	return device, d.Now().Before(issued.Add(domain.DeviceLife))
}

// Trusted returns the device of a token that is valid for an account with this password hash, or "" where it is not.
func (d Devices) Trusted(token string, user uuid.UUID, passwordHash string) string {
	device, ok := d.Read(token)
	if !ok || !d.fits(device, user, passwordHash) {
		return ""
	}
	return "device " + device.ID.String()
}

// Device returns the device of a token, for any account. It returns "" for a token that was not made here or is too
// old.
func (d Devices) Device(token string) string {
	device, ok := d.Read(token)
	if !ok {
		return ""
	}
	return "device " + device.ID.String()
}

func (d Devices) fits(device domain.Device, user uuid.UUID, passwordHash string) bool {
	return device.UserID == user && d.Keys.Any(func(key []byte) bool { return hmac.Equal([]byte(device.Password), printOf(key, passwordHash)) })
}

func printOf(key []byte, passwordHash string) []byte {
	return macOf(key, "password", []byte(passwordHash))[:timeAt-printAt]
}

func macOf(key []byte, of string, data []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(of + "\x00"))
	mac.Write(data)
	return mac.Sum(nil)
}
