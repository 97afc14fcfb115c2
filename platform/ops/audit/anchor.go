package audit

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/blob"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/secret"
)

// Anchor stores the head of each workspace's log outside the database, so that rows removed from the end of a log are
// detected. It is safe for concurrent use.
type Anchor struct {
	store blob.Store
	name  string
}

// NewAnchor returns an Anchor in a store. The results of Verify name the store by name.
func NewAnchor(store blob.Store, name string) *Anchor { return &Anchor{store, name} }

const (
	anchorTimeout = 5 * time.Second // for reading or writing the head of one workspace
	maxAnchor     = 4096            // bytes of one
)

// Errors of reading an anchor, besides those of an unavailable store.
var (
	errNoAnchor   = errors.New("audit: there is no anchor of this workspace")
	errAnchorForm = errors.New("audit: the anchor is not one that we have written")
)

func anchorKey(workspace uuid.UUID) string { return "audit-anchor/" + workspace.String() + ".json" }

func (a *Anchor) read(ctx context.Context, workspace uuid.UUID) (h Head, err error) {
	ctx, cancel := context.WithTimeout(ctx, anchorTimeout)
	defer cancel()
	content, err := a.store.Get(ctx, anchorKey(workspace), 0, -1)
	if errors.Is(err, blob.ErrNotFound) {
		return h, errNoAnchor
	}
	if err != nil {
		return h, fmt.Errorf("read the anchor: %w", err)
	}
	defer content.Close()
	raw, err := io.ReadAll(io.LimitReader(content, maxAnchor))
	if err != nil {
		return h, fmt.Errorf("read the anchor: %w", err)
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		return h, errAnchorForm
	}
	return h, nil
}

func (a *Anchor) write(ctx context.Context, h Head) error {
	ctx, cancel := context.WithTimeout(ctx, anchorTimeout)
	defer cancel()
	raw, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encode the anchor: %w", err)
	}
	if _, err := a.store.Put(ctx, anchorKey(h.Workspace), bytes.NewReader(raw)); err != nil {
		return fmt.Errorf("write the anchor: %w", err)
	}
	return nil
}

// Forget removes the anchor of a workspace that is purged.
func (a *Anchor) Forget(ctx context.Context, workspace uuid.UUID) error {
	if err := a.store.Delete(ctx, anchorKey(workspace)); err != nil {
		return fmt.Errorf("remove the anchor of a purged workspace: %w", err)
	}
	return nil
}

// Anchoring writes the heads of logs to the anchor of a sealer, in the background: neither changes nor seals wait for
// it. It never replaces a head with one that does not continue it; only Adopt does that, on request of an operator.
// Several processes may do it at once.
type Anchoring struct {
	sealer *Sealer
	log    *slog.Logger
	away   atomic.Bool

	mu      sync.Mutex
	refused map[uuid.UUID]time.Time // workspaces whose log does not go on from its anchor: until when they are left alone
}

// NewAnchoring returns an Anchoring for a sealer that has an anchor.
func NewAnchoring(s *Sealer, log *slog.Logger) *Anchoring {
	return &Anchoring{sealer: s, log: log, refused: map[uuid.UUID]time.Time{}}
}

const (
	anchorsAtOnce  = 8 // written by one process
	leaveAlone     = 5 * time.Minute
	maxLeftAlone   = 10_000 // workspaces that are remembered
	anchorAwayText = "the anchor of the audit log cannot be written"
)

// errAhead says that a log does not go on from its anchor.
var errAhead = errors.New("audit: the log does not go on from its anchor: a backup was restored, or the end of the log was removed; parley audit verify tells of it, parley audit adopt takes the log as it is")

// Run writes every head that is not in the anchor yet. An unavailable store is logged once and tried again at the next
// run.
func (a *Anchoring) Run(ctx context.Context) error {
	var writers errgroup.Group
	writers.SetLimit(anchorsAtOnce)
	var failed atomic.Pointer[error]
	err := a.sealer.eachHead(ctx, headsToAnchor, func(ctx context.Context, workspace uuid.UUID) error {
		if failed.Load() != nil || a.isRefused(workspace) {
			return nil
		}
		writers.Go(func() error {
			switch err := a.anchor(ctx, workspace); {
			case errors.Is(err, errAhead):
				a.refuse(ctx, workspace)
			case err != nil:
				failed.Store(&err)
			}
			return nil
		})
		return nil
	})
	_ = writers.Wait() // failures are in failed
	if err != nil {
		return err
	}
	cause := failed.Load()
	if was := a.away.Swap(cause != nil); cause != nil && !was {
		a.log.WarnContext(ctx, anchorAwayText, "error", *cause)
	} else if cause == nil && was {
		a.log.InfoContext(ctx, "the anchor of the audit log is written again")
	}
	return nil
}

// Renew writes the anchor of the workspace of the context again under the current key, if the log continues from the
// anchor. renewed is false if there is no anchor to renew or the log does not continue from it.
func (a *Anchoring) Renew(ctx context.Context, workspace uuid.UUID) (renewed bool, err error) {
	before, err := a.sealer.anchor.read(ctx, workspace)
	switch {
	case errors.Is(err, errNoAnchor) || errors.Is(err, errAnchorForm):
		return false, nil
	case err != nil:
		return false, err
	case secret.IDOf(before.KeyID) == a.sealer.keys.Current().ID:
		return false, nil
	}
	if err := a.anchor(ctx, workspace); errors.Is(err, errAhead) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, nil
}

// anchor writes the head of one workspace, which the context is in.
func (a *Anchoring) anchor(ctx context.Context, workspace uuid.UUID) error {
	s := a.sealer
	q := platformdb.New(s.db.In(ctx))
	head, err := readHead(ctx, q, workspace)
	if err != nil {
		return err
	}
	if !head.found || !s.fits(head.Head) {
		return errAhead
	}
	before, err := s.anchor.read(ctx, workspace)
	switch {
	case errors.Is(err, errNoAnchor):
		if head.anchored > 0 { // there was one
			return errAhead
		}
	case errors.Is(err, errAnchorForm) || err == nil && !s.fits(before):
		return errAhead
	case err != nil:
		return err
	case before.Seal > 0:
		same, err := q.FindSeal(ctx, platformdb.FindSealParams{WorkspaceID: workspace, Seq: before.Seal})
		if postgres.IsMissing(err) || err == nil && !hmac.Equal(same.Mac, before.SealMAC) {
			return errAhead
		}
		if err != nil {
			return err
		}
	}
	if before.Seal < head.Seal || secret.IDOf(before.KeyID) != s.keys.Current().ID && s.isCurrent(head.Head) { // else another process was quicker
		if err := s.anchor.write(ctx, head.Head); err != nil {
			return err
		}
	}
	return s.noteAnchored(ctx, workspace, max(before.Seal, head.Seal))
}

// noteAnchored stores which seal's head the anchor has.
func (s *Sealer) noteAnchored(ctx context.Context, workspace uuid.UUID, seq int64) error {
	return s.db.Write(ctx, func(ctx context.Context) error {
		return platformdb.New(s.db.In(ctx)).AnchoredHead(ctx, platformdb.AnchoredHeadParams{WorkspaceID: workspace, Seq: seq})
	})
}

func (a *Anchoring) isRefused(workspace uuid.UUID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Now().Before(a.refused[workspace])
}

// refuse skips a workspace for a while, and logs that.
func (a *Anchoring) refuse(ctx context.Context, workspace uuid.UUID) {
	a.log.ErrorContext(ctx, "audit log does not go on from its anchor", "workspace", workspace, "error", errAhead)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.refused) >= maxLeftAlone {
		clear(a.refused)
	}
	a.refused[workspace] = time.Now().Add(leaveAlone)
}
