package files

import (
	"context"
	"sync"

	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"
)

// Room bounds something that all workspaces share, and how much of it one workspace may have. It is safe for concurrent use.
type Room struct {
	all   *semaphore.Weighted
	share int64 // of one workspace

	mu     sync.Mutex
	shares map[uuid.UUID]*share
}

// share is what a workspace may have. It is removed when nobody of the workspace has or wants any.
type share struct {
	free  *semaphore.Weighted
	users int
}

// NewRoom makes a Room for so much in all, of which a workspace may have a half.
func NewRoom(all int64) *Room {
	return &Room{all: semaphore.NewWeighted(all), share: max(all/2, 1), shares: map[uuid.UUID]*share{}}
}

// Take waits until so much is free for a workspace, at most as much as it may have. It returns the error of the context where that ends first.
func (r *Room) Take(ctx context.Context, workspace uuid.UUID, n int64) (release func(), err error) {
	n = min(n, r.share)
	own := r.enter(workspace)
	if err := own.free.Acquire(ctx, n); err != nil {
		r.leave(workspace, own)
		return nil, err
	}
	if err := r.all.Acquire(ctx, n); err != nil {
		own.free.Release(n)
		r.leave(workspace, own)
		return nil, err
	}
	return sync.OnceFunc(func() {
		r.all.Release(n)
		own.free.Release(n)
		r.leave(workspace, own)
	}), nil
}

func (r *Room) enter(workspace uuid.UUID) *share {
	r.mu.Lock()
	defer r.mu.Unlock()
	own, ok := r.shares[workspace]
	if !ok {
		own = &share{free: semaphore.NewWeighted(r.share)}
		r.shares[workspace] = own
	}
	own.users++
	return own
}

func (r *Room) leave(workspace uuid.UUID, own *share) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if own.users--; own.users == 0 {
		delete(r.shares, workspace)
	}
}
