package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/ports"
)

// DemandSecondFactor changes whether a workspace demands a second factor of its members. A member without one can then make
// no call in the workspace. API keys have none and go on.
type DemandSecondFactor struct {
	Demands ports.FactorDemands
	Factors ports.Factors
}

// Do changes the demand of the workspace of the context; ErrOwnFactorFirst where the user who demands one has none.
func (u DemandSecondFactor) Do(ctx context.Context, user uuid.UUID, demanded bool) error {
	account, err := u.Factors.LockAccount(ctx, user)
	if err != nil {
		return err
	}
	if demanded && !account.SecondFactor {
		return ports.ErrOwnFactorFirst
	}
	return u.Demands.DemandFactor(ctx, demanded)
}
