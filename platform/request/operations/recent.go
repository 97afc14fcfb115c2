package operations

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
)

// maxRecent is how many operations of a caller Recent looks at.
const maxRecent = 10_000

// Recent returns the id of the newest operation of the caller for the request of the call, among those whose ids the
// gateway has made since a time; the zero id if there is none. It is for clients that send a call again without an id.
func (s *Store) Recent(ctx context.Context, since time.Time) (uuid.UUID, error) {
	c := callctx.From(ctx)
	id, err := platformdb.New(s.db.In(ctx)).FindRecentOperation(ctx, platformdb.FindRecentOperationParams{
		WorkspaceID: c.Principal.WorkspaceID, ActorID: c.Principal.UserID, Fingerprint: c.Operation.Fingerprint,
		First: firstSince(since), Last: c.Operation.ID, MaxRows: maxRecent,
	})
	if postgres.IsMissing(err) {
		return uuid.Nil, nil
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("find the operation of an earlier call: %w", err)
	}
	return id, nil
}

// firstSince returns the smallest UUIDv7 of a time (RFC 9562, 5.7).
func firstSince(at time.Time) (id uuid.UUID) {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = 0x70
	return id
}
