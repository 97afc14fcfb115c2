package audit

import (
	"bytes"
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
)

// ErrNotIntact says that rows of a log are not removed because the log, or its head, cut or anchor, is not as it was
// written: nothing may go that shows what was changed. Verify finds the same.
var ErrNotIntact = errors.New("audit: the log is not intact, so that none of its rows are removed: see parley audit verify")

// Cutter removes old rows from the beginning of logs with their seals, and signs where each log begins then, so that
// Verify still detects every other removal. It is safe for concurrent use, also by several processes.
type Cutter struct {
	sealer *Sealer
	log    *slog.Logger
}

// NewCutter returns a Cutter with the keys and the anchor of a sealer.
func NewCutter(s *Sealer, log *slog.Logger) *Cutter { return &Cutter{sealer: s, log: log} }

const (
	cutPage      = 50                    // seals listed at once
	maxCutRows   = 1000                  // of one transaction, which has a whole seal at least
	firstCutRows = 200                   // of the first transaction
	cutTarget    = 25 * time.Millisecond // what a transaction should take, since it holds locks as long
)

// Cut removes seals of a workspace and their rows, oldest first: those of which every row was written before a time. It
// stops at the time until, or with its context. The newest seal and that of the anchored head stay, with all behind
// them, as do rows of the last 90 days. removed is the number of rows that went, also with an error; more says that there
// may be others. The error is ErrNotIntact where a seal does not verify, and nothing behind that seal goes.
func (c *Cutter) Cut(ctx context.Context, workspace uuid.UUID, before, until time.Time) (removed int, more bool, err error) {
	ctx = callctx.As(ctx, workspace, uuid.Nil)
	run := cutting{sealer: c.sealer, q: platformdb.New(c.sealer.db.In(ctx)), workspace: workspace, size: firstCutRows}
	if err := run.begin(ctx, before); err != nil {
		return 0, false, c.failed(ctx, &run, err)
	}
	for time.Now().Before(until) {
		batch, err := run.next(ctx)
		if errors.Is(err, errCutMeanwhile) {
			return removed, true, nil
		}
		if err != nil {
			return removed, false, c.failed(ctx, &run, err)
		}
		if batch.Seals == 0 {
			return removed, false, nil
		}
		n, err := run.remove(ctx, batch)
		removed += n
		if errors.Is(err, errCutMeanwhile) {
			return removed, true, nil
		}
		if err != nil {
			return removed, false, fmt.Errorf("remove rows of the audit log: %w", err)
		}
	}
	return removed, true, nil
}

// failed logs that the log is not intact.
func (c *Cutter) failed(ctx context.Context, run *cutting, err error) error {
	if errors.Is(err, ErrNotIntact) {
		c.log.ErrorContext(ctx, "removal of old audit rows stopped: the log is not intact", "workspace", run.workspace, "seal", run.cut.Seals+1, "error", err)
	}
	return err
}

// cutting is a run of Cut.
type cutting struct {
	sealer    *Sealer
	q         *platformdb.Queries
	workspace uuid.UUID
	head      storedHead
	cut       storedCut
	oldest    time.Time // rows from this time on stay
	last      int64     // the newest seal that may go
	seals     []platformdb.ListSealsRow
	size      int // rows of the next transaction
}

// begin reads what the log is now, and checks what it is held to.
func (k *cutting) begin(ctx context.Context, before time.Time) (err error) {
	if k.oldest, err = k.q.CutLimit(ctx); err != nil {
		return fmt.Errorf("read which rows of the audit log may go: %w", err)
	}
	if before.Before(k.oldest) {
		k.oldest = before
	}
	if k.cut, err = readCut(ctx, k.q, k.workspace); err != nil {
		return err
	}
	if k.cut.Seals > 0 && !k.sealer.fitsCut(k.cut) {
		return fmt.Errorf("%w: the cut does not fit", ErrNotIntact)
	}
	if k.head, err = readHead(ctx, k.q, k.workspace); err != nil {
		return err
	}
	if !k.head.found || k.head.MAC == nil { // there are no seals, or they are not adopted yet
		return nil
	}
	if !k.sealer.fits(k.head.Head) {
		return fmt.Errorf("%w: the head of the seals does not fit", ErrNotIntact)
	}
	k.last = k.head.Seal - 1
	if k.head.anchored > 0 {
		k.last = min(k.last, k.head.anchored-1)
	}
	if k.sealer.anchor == nil {
		return nil
	}
	return k.belowAnchor(ctx)
}

// belowAnchor limits the run to what is below the anchored head, to which the log must go on.
func (k *cutting) belowAnchor(ctx context.Context) error {
	anchored, err := k.sealer.anchor.read(ctx, k.workspace)
	switch {
	case errors.Is(err, errNoAnchor) && k.head.anchored == 0: // nothing is anchored yet
		k.last = 0
		return nil
	case errors.Is(err, errNoAnchor) || errors.Is(err, errAnchorForm) || err == nil && (anchored.Workspace != k.workspace || !k.sealer.fits(anchored)):
		return fmt.Errorf("%w: the anchor is missing or invalid", ErrNotIntact)
	case err != nil:
		return err
	}
	k.last = min(k.last, anchored.Seal-1)
	if anchored.Seal == 0 {
		return nil
	}
	same, err := k.q.FindSeal(ctx, platformdb.FindSealParams{WorkspaceID: k.workspace, Seq: anchored.Seal})
	if postgres.IsMissing(err) || err == nil && !hmac.Equal(same.Mac, anchored.SealMAC) {
		return fmt.Errorf("%w: it does not go on from its anchor", ErrNotIntact)
	}
	if err != nil {
		return fmt.Errorf("find the anchored seal: %w", err)
	}
	return nil
}

// list makes sure that the next seals are listed.
func (k *cutting) list(ctx context.Context) (err error) {
	if len(k.seals) > 0 || k.cut.Seals >= k.last {
		return nil
	}
	k.seals, err = k.q.ListSeals(ctx, platformdb.ListSealsParams{WorkspaceID: k.workspace, After: k.cut.Seals, Count: cutPage})
	if err != nil {
		return fmt.Errorf("read the seals to remove: %w", err)
	}
	return nil
}

// next verifies the seals of the next transaction and returns the cut behind them; the zero cut if no seal may go.
func (k *cutting) next(ctx context.Context) (cut storedCut, err error) {
	if err := k.list(ctx); err != nil {
		return cut, err
	}
	var ids []uuid.UUID
	n := 0
	for n < len(k.seals) && k.seals[n].Seq <= k.last && (n == 0 || len(ids)+len(k.seals[n].RowIds) <= k.size) {
		ids = append(ids, k.seals[n].RowIds...)
		n++
	}
	if n == 0 {
		return cut, nil
	}
	rows, err := k.read(ctx, ids)
	if err != nil {
		return cut, err
	}
	check := verifying{sealer: k.sealer, key: k.sealer.keys.Current(), workspace: k.workspace, head: k.head}
	at := k.cut
	for _, stored := range k.seals[:n] {
		texts, young := rows.of(stored.RowIds, k.oldest)
		if young {
			break
		}
		r := seal{workspace: k.workspace, seq: stored.Seq, at: stored.SealedAt, rows: stored.RowIds, previous: at.sealMAC}
		if stored.Seq != at.Seals+1 || len(texts) != len(r.rows) || !check.fits(r, texts, stored.Mac, stored.KeyID) || len(check.UnknownKeys) > 0 {
			if at.Seals > k.cut.Seals { // those before it may go
				break
			}
			return storedCut{}, k.doesNotFit(ctx, at.Seals+1)
		}
		at.Seals, at.Rows, at.sealMAC = stored.Seq, at.Rows+int64(len(r.rows)), stored.Mac
	}
	if at.Seals == k.cut.Seals {
		return storedCut{}, nil
	}
	at.At = time.Now().UTC().Truncate(time.Microsecond)
	return k.sealer.signedCut(at), nil
}

// doesNotFit says that a seal does not verify, unless another process has removed it meanwhile.
func (k *cutting) doesNotFit(ctx context.Context, seq int64) error {
	now, err := readCut(ctx, k.q, k.workspace)
	if err == nil && now.Seals >= seq && k.sealer.fitsCut(now) {
		return errCutMeanwhile
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: seal %d does not fit", ErrNotIntact, seq)
}

// remove removes everything up to a cut. The error is errCutMeanwhile where another process was quicker.
func (k *cutting) remove(ctx context.Context, cut storedCut) (removed int, err error) {
	var n int32
	start := time.Now()
	err = k.sealer.db.Write(ctx, func(ctx context.Context) error {
		var err error
		n, err = platformdb.New(k.sealer.db.In(ctx)).CutAudit(ctx, platformdb.CutAuditParams{
			AfterSeal: k.cut.Seals, LastSeal: cut.Seals, TotalRows: cut.Rows, LastMac: cut.sealMAC, ItsTime: cut.At, ItsMac: cut.mac, ItsKey: cut.keyID,
		})
		return err
	})
	if err != nil {
		return 0, err
	}
	if n < 0 {
		return 0, errCutMeanwhile
	}
	if took := time.Since(start); took > cutTarget {
		k.size = max(k.size/2, 1)
	} else {
		k.size = min(k.size*2, maxCutRows)
	}
	k.seals = slices.DeleteFunc(k.seals, func(s platformdb.ListSealsRow) bool { return s.Seq <= cut.Seals })
	k.cut = cut
	return int(n), nil
}

// cutRows are rows that may be removed, by id.
type cutRows map[uuid.UUID]platformdb.ReadForCutRow

func (k *cutting) read(ctx context.Context, ids []uuid.UUID) (cutRows, error) {
	list, err := k.q.ReadForCut(ctx, platformdb.ReadForCutParams{WorkspaceID: k.workspace, Ids: ids})
	if err != nil {
		return nil, fmt.Errorf("read the rows to remove: %w", err)
	}
	rows := make(cutRows, len(list))
	for _, row := range list {
		rows[row.ID] = row
	}
	return rows, nil
}

// of returns the rows of a seal as the seal covers them, fewer where some are gone, and whether one of them is not older than
// a time.
func (rows cutRows) of(ids []uuid.UUID, than time.Time) (texts []string, young bool) {
	ids = slices.SortedFunc(slices.Values(ids), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	for _, id := range ids {
		row, found := rows[id]
		if !found {
			continue
		}
		texts, young = append(texts, row.Bytes), young || !row.At.Before(than)
	}
	return texts, young
}
