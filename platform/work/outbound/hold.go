package outbound

import (
	"errors"
	"time"

	"github.com/parley/parley/platform/work/jobs"
)

// How deliveries wait that are held: those of a subscription whose responsible member was removed or demoted, or whose
// responsible API key was revoked or suspended.
const (
	holdTime       = 7 * 24 * time.Hour // then a delivery is a dead letter; PublishEvent makes no more after that time either
	holdCheck      = 6 * time.Hour      // between two looks whether a delivery is held still
	reasonHeld     = "the webhook subscription is held until somebody adopts it"
	reasonHeldLong = "the webhook subscription was held for seven days and nobody has adopted it"
)

// hold postpones a held delivery, and gives it up after holdTime.
func (d *Deliverer) hold(createdAt, heldAt time.Time) error {
	if createdAt.After(heldAt) {
		heldAt = createdAt
	}
	left := heldAt.Add(holdTime).Sub(d.Now())
	if left <= 0 {
		return jobs.Permanent(errors.New(reasonHeldLong))
	}
	return jobs.NotYet(reasonHeld, min(left, holdCheck))
}
