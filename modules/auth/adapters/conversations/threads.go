// Package conversations calls the conversations module for auth.
package conversations

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/conversations"
)

var _ ports.EndUserThreads = Threads{}

// Threads are the threads of end users.
type Threads struct{ Face conversations.EndUserThreads }

// Delete deletes the threads of an end user.
func (t Threads) Delete(ctx context.Context, endUser uuid.UUID) error {
	return t.Face.Delete(ctx, endUser)
}
