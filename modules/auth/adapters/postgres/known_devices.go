package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
)

// KnownDevices remembers on which devices users have signed in.
type KnownDevices struct {
	db  *postgres.DB
	now func() time.Time
}

var _ ports.KnownDevices = (*KnownDevices)(nil)

// NewKnownDevices makes KnownDevices.
func NewKnownDevices(db *postgres.DB, now func() time.Time) *KnownDevices {
	return &KnownDevices{db, now}
}

// maxDevices is how many devices of a user are remembered: those that were seen last.
const maxDevices = 50

func (k *KnownDevices) KnowsNetwork(ctx context.Context, network string) (known bool, err error) {
	known, err = authdb.New(k.db.In(ctx)).KnowsNetwork(ctx, authdb.KnowsNetworkParams{
		UserID: callctx.From(ctx).Principal.UserID, Network: network, Since: k.now().Add(-domain.DeviceLife),
	})
	if err != nil {
		return false, fmt.Errorf("look for a network of a user: %w", err)
	}
	return known, nil
}

func (k *KnownDevices) See(ctx context.Context, client domain.Client) (isNew bool, err error) {
	q, user, at := authdb.New(k.db.In(ctx)), callctx.From(ctx).Principal.UserID, k.now()
	isNew, err = q.SeeDevice(ctx, authdb.SeeDeviceParams{
		UserID: user, Device: client.Agent().String(), Network: client.Network(), At: at, Since: at.Add(-domain.DeviceLife),
	})
	if err == nil && isNew {
		err = q.TrimDevices(ctx, authdb.TrimDevicesParams{UserID: user, Keep: maxDevices})
	}
	if err != nil {
		return false, fmt.Errorf("remember the device of a user: %w", err)
	}
	return isNew, nil
}
