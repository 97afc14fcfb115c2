// Package signatures makes and checks the secrets of webhook endpoints, as specified by Standard Webhooks.
package signatures

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/modules/channels/ports"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/webhook"
)

// Keys makes and seals webhook secrets, and verifies what was signed with them.
type Keys struct {
	Keys webhook.Keys
	Now  func() time.Time
}

func (k Keys) New(endpoint uuid.UUID) (domain.Keyring, string, error) {
	ring, secret := k.Keys.New(endpoint)
	raw, err := json.Marshal(ring)
	return raw, secret, err
}

func (k Keys) Rotate(raw domain.Keyring, endpoint uuid.UUID, overlap time.Duration) (domain.Keyring, string, error) {
	ring, err := read(raw)
	if err != nil {
		return nil, "", err
	}
	rotated, secret := k.Keys.Rotate(ring, endpoint, overlap, k.Now())
	raw, err = json.Marshal(rotated)
	return raw, secret, err
}

func (k Keys) Verify(raw domain.Keyring, endpoint uuid.UUID, signed ports.Signed) (string, error) {
	ring, err := read(raw)
	if err != nil {
		return "", err
	}
	secrets, err := k.Keys.Open(ring, endpoint, k.Now())
	if err != nil {
		return "", err
	}
	header := http.Header{}
	for name, value := range signed.Headers {
		header.Set(name, value)
	}
	id, err := webhook.Verify(secrets, header, signed.Body, k.Now())
	switch {
	case errors.Is(err, webhook.ErrTimestamp):
		return "", refusal("webhook-timestamp (or svix-timestamp) is not now, give or take five minutes: set the clock, and sign each attempt anew").Because(err)
	case errors.Is(err, webhook.ErrHeader):
		return "", refusal("webhook-id, webhook-timestamp and webhook-signature are needed, each once, as Standard Webhooks has them (or all three as svix-…, and none as webhook-…)").Because(err)
	case err != nil:
		return "", refusal("no webhook-signature (or svix-signature) fits: sign id, timestamp and the very bytes of the body with the secret of this endpoint").Because(err)
	}
	return id, nil
}

func refusal(message string) *fail.Error {
	return fail.New(fail.Unauthenticated, "UNAUTHORIZED", message)
}

func read(raw domain.Keyring) (ring webhook.Keyring, err error) {
	if err := json.Unmarshal(raw, &ring); err != nil {
		return nil, fmt.Errorf("read the secrets of the endpoint: %w", err)
	}
	return ring, nil
}
