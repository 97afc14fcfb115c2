package inproc

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations"
	"github.com/parley/parley/modules/conversations/usecases"
)

var _ conversations.EndUserThreads = EndUserThreads{}

// EndUserThreads are the threads of end users, for the module that has the end users.
type EndUserThreads struct{ Owned usecases.DeleteOwnedThreads }

// Delete deletes the threads of an end user.
func (e EndUserThreads) Delete(ctx context.Context, endUser uuid.UUID) error {
	return e.Owned.Do(ctx, endUser)
}
