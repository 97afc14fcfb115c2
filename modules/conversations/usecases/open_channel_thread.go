package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// OpenChannelThread opens the thread of a conversation in an outside system.
type OpenChannelThread struct {
	Threads ports.Threads
	Now     func() time.Time
}

// Do returns the thread of the conversation, ready for its next message.
func (u OpenChannelThread) Do(ctx context.Context, c domain.Channel) (uuid.UUID, error) {
	return u.Threads.OpenChannel(ctx, c, u.Now())
}
