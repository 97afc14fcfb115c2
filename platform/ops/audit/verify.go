package audit

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/callctx"
)

// Verification is the result of Verify.
type Verification struct {
	Sealed, Unsealed, Seals int64        // that are in the log: removed ones are in Cut
	Broken                  *int64       // the number of the first seal that does not fit, or is gone; nil: none
	UnknownKeys             []string     // ids of keys that seals, the head or the anchor name and that this process does not know
	Cut                     *Cut         // where the log begins; nil: nothing was removed from its beginning
	Anchor                  *AnchorCheck // nil: there is no anchor
}

// Intact reports whether the log is unchanged since it was written, as far as can be verified.
func (v Verification) Intact() bool {
	return v.Broken == nil && len(v.UnknownKeys) == 0 && (v.Anchor == nil || v.Anchor.State != Restored && v.Anchor.State != Invalid)
}

// AnchorState says how a log compares with its anchor.
type AnchorState string

// The states of an anchor.
const (
	Agrees      AnchorState = "agrees"
	Behind      AnchorState = "behind"      // the log goes on from it: its newest seals are not in the anchor yet
	Missing     AnchorState = "missing"     // there was one, and it is gone
	Unreachable AnchorState = "unreachable" // what keeps it does not answer
	Invalid     AnchorState = "invalid"     // it was not made with our key
	Restored    AnchorState = "restored"    // the anchor has seen more than the log has: a backup was restored, or the end of the log was removed
)

// AnchorCheck is the result of comparing a log with its anchor.
type AnchorCheck struct {
	State AnchorState
	Store string // what keeps the anchor
	Head  *Head  // that the anchor has; nil: none that can be read
	// RestoredTo is the newest seal in the log that the anchor has recorded. Its number is 0 if the log contains none
	// of them. nil: the log was not restored.
	RestoredTo *Point
}

// Point is a position in a sealed log.
type Point struct {
	Seal     int64
	SealedAt time.Time
}

// errCutMeanwhile says that seals which were to be verified were removed meanwhile, by a process that has verified them.
var errCutMeanwhile = errors.New("audit: the log was cut meanwhile")

// Verify reads every row and seal of the caller's workspace and computes the seals again. It then compares the end of
// the log with the head and the anchor. Old rows may be removed at the same time.
func (s *Sealer) Verify(ctx context.Context) (Verification, error) {
	for {
		v, err := s.verify(ctx)
		if !errors.Is(err, errCutMeanwhile) {
			return v, err
		}
	}
}

func (s *Sealer) verify(ctx context.Context) (Verification, error) {
	q, workspace := platformdb.New(s.db.InReport(ctx)), callctx.From(ctx).Principal.WorkspaceID
	v := verifying{sealer: s, q: q, workspace: workspace, key: s.keys.Current()}
	if _, err := s.adopting(ctx); err != nil {
		return v.Verification, err
	}
	var err error
	if v.cut, err = readCut(ctx, q, workspace); err != nil { // before the head: it is below each that comes later
		return v.Verification, err
	}
	if v.head, err = readHead(ctx, q, workspace); err != nil { // before the seals, which may become more meanwhile
		return v.Verification, err
	}
	v.readAnchor(ctx)
	if err := v.readSeals(ctx); err != nil {
		return v.Verification, err
	}
	if err := v.checkHead(ctx); err != nil {
		return v.Verification, err
	}
	v.checkAnchor()
	bare, err := q.CheckUnsealed(ctx, platformdb.CheckUnsealedParams{WorkspaceID: workspace, LookBack: lookBack})
	if err != nil {
		return v.Verification, fmt.Errorf("count the unsealed rows: %w", err)
	}
	v.Unsealed = bare.Rows
	if bare.PassedOver > 0 {
		v.broken(bare.PassedOver)
	}
	return v.Verification, nil
}

// verifying is a verification in progress.
type verifying struct {
	Verification
	sealer    *Sealer
	key       secret.Key // of the last seal that fitted
	q         *platformdb.Queries
	workspace uuid.UUID
	cut       storedCut
	head      storedHead
	last      seal  // the newest that was read, its MAC in previous
	total     int64 // rows that the seals name which were read
	headAt    int64 // rows that the seals up to that of the head name

	anchoredMAC  []byte // of the seal that the anchor names, as the log has it; nil: it has none
	anchoredRows int64
	kept         Point // the newest seal that is not younger than the anchor
}

func (v *verifying) broken(seq int64) {
	if v.Broken == nil || seq < *v.Broken {
		v.Broken = &seq
	}
}

// begin starts behind the cut, if there is one that can be believed. If not, the log has to be complete.
func (v *verifying) begin() {
	v.last = seal{workspace: v.workspace}
	if v.cut.Seals == 0 {
		return
	}
	if id, unknown := v.sealer.unknownID(v.cut.keyID); unknown {
		v.unknownKey(id)
	} else if !v.sealer.fitsCut(v.cut) {
		v.broken(1)
		return
	}
	v.Cut = &v.cut.Cut
	v.last.seq, v.last.previous, v.total = v.cut.Seals, v.cut.sealMAC, v.cut.Rows
}

// overtaken returns errCutMeanwhile if the log has been cut since v began, and the seal of a number is below that cut.
func (v *verifying) overtaken(ctx context.Context, seq int64) error {
	now, err := readCut(ctx, v.q, v.workspace)
	if err == nil && now.Seals >= seq && now.Seals > v.cut.Seals && v.sealer.fitsCut(now) {
		return errCutMeanwhile
	}
	return err
}

func (v *verifying) readSeals(ctx context.Context) error {
	v.begin()
	for after := int64(0); ; {
		seals, err := v.q.ListSeals(ctx, platformdb.ListSealsParams{WorkspaceID: v.workspace, After: after, Count: sealsRead})
		if err != nil {
			return fmt.Errorf("read the seals: %w", err)
		}
		for _, stored := range seals {
			after = stored.Seq
			if v.Cut != nil && stored.Seq <= v.Cut.Seals { // it went with the cut, and somebody has put it back
				v.broken(stored.Seq)
				continue
			}
			r := seal{workspace: v.workspace, seq: stored.Seq, at: stored.SealedAt, rows: stored.RowIds, previous: v.last.previous}
			rows, err := readSealed(ctx, v.q, r)
			if err != nil {
				return fmt.Errorf("read the sealed rows: %w", err)
			}
			if stored.Seq != v.last.seq+1 || len(rows) != len(r.rows) || !v.fits(r, rows, stored.Mac, stored.KeyID) {
				if err := v.overtaken(ctx, v.last.seq+1); err != nil {
					return err
				}
				v.broken(v.last.seq + 1)
			}
			v.Sealed += int64(len(rows))
			v.Seals++
			v.total += int64(len(r.rows))
			v.note(stored, v.total)
			v.last.seq, v.last.at, v.last.previous = stored.Seq, stored.SealedAt, stored.Mac
		}
		if len(seals) < sealsRead {
			return nil
		}
	}
}

// fits reports whether the MAC of a seal was made with the key that the seal names. If the seal names no key, any known
// key may match. A seal under an unknown key cannot be verified: fits records the key in UnknownKeys and returns true.
func (v *verifying) fits(r seal, rows []string, mac, keyID []byte) bool {
	keys := slices.Concat(secret.Keys{v.key}, v.sealer.keys)
	if v.head.MAC != nil && r.seq <= v.head.Seal { // no past key can add to a log
		keys = append(keys, v.sealer.past...)
	}
	if id := secret.IDOf(keyID); len(keyID) > 0 {
		named, found := keys.Find(id)
		if !found {
			v.unknownKey(id)
			return true
		}
		keys = secret.Keys{named}
	}
	for _, key := range keys {
		if hmac.Equal(mac, sealMAC(key.Bytes, r, rows)) {
			v.key = key
			return true
		}
	}
	return false
}

func (v *verifying) unknownKey(id secret.KeyID) {
	if !slices.Contains(v.UnknownKeys, id.String()) {
		v.UnknownKeys = append(v.UnknownKeys, id.String())
	}
}

// note keeps what is to be known of a seal at the end: whether it is the one of the head, or of the anchor.
func (v *verifying) note(stored platformdb.ListSealsRow, total int64) {
	if stored.Seq == v.head.Seal {
		v.headAt = total
	}
	if v.Anchor == nil || v.Anchor.Head == nil {
		return
	}
	if stored.Seq == v.Anchor.Head.Seal {
		v.anchoredMAC, v.anchoredRows = stored.Mac, total
	}
	if stored.Seq <= v.Anchor.Head.Seal && !stored.SealedAt.After(v.Anchor.Head.SealedAt) {
		v.kept = Point{stored.Seq, stored.SealedAt}
	}
}

// checkHead compares the seals with the head.
func (v *verifying) checkHead(ctx context.Context) error {
	if v.Cut != nil && v.Seals == 0 { // the newest seal is never removed
		v.broken(v.last.seq + 1)
	}
	if !v.head.found && v.last.seq > 0 { // the first seal may have come after the head was looked for
		head, err := readHead(ctx, v.q, v.workspace)
		if err != nil {
			return err
		}
		if !head.found {
			v.broken(v.last.seq + 1)
		}
		return nil
	}
	if v.last.seq < max(v.head.seq, v.head.Seal) {
		v.broken(v.last.seq + 1)
	}
	switch {
	case v.head.MAC != nil && v.headAt != v.head.Rows:
		v.broken(v.last.seq + 1)
	case v.head.MAC != nil && !v.sealer.fits(v.head.Head):
		if id, unknown := v.sealer.unknown(v.head.Head); unknown {
			v.unknownKey(id)
		} else {
			v.broken(v.last.seq + 1)
		}
	case v.head.MAC == nil && v.head.seq > 0:
		adopting, err := v.sealer.adopting(ctx)
		if err == nil && !adopting {
			v.broken(v.last.seq + 1)
		}
		return err
	}
	return nil
}

// readAnchor reads the anchor, before the seals: they go on from it.
func (v *verifying) readAnchor(ctx context.Context) {
	a := v.sealer.anchor
	if a == nil {
		return
	}
	v.Anchor = &AnchorCheck{Store: a.name}
	h, err := a.read(ctx, v.workspace)
	switch {
	case errors.Is(err, errNoAnchor) && v.head.anchored > 0:
		v.Anchor.State = Missing
	case errors.Is(err, errNoAnchor):
		v.Anchor.State = Behind
	case errors.Is(err, errAnchorForm) || err == nil && (h.Workspace != v.workspace || !v.sealer.fits(h)):
		v.Anchor.State = Invalid
		if id, unknown := v.sealer.unknown(h); unknown {
			v.unknownKey(id)
		}
	case err != nil:
		v.Anchor.State = Unreachable
	default:
		v.Anchor.Head = &h
	}
}

// checkAnchor holds the log to its anchor.
func (v *verifying) checkAnchor() {
	if v.Anchor == nil || v.Anchor.Head == nil {
		return
	}
	h := v.Anchor.Head
	switch {
	case h.Seal > 0 && (v.anchoredMAC == nil || !hmac.Equal(v.anchoredMAC, h.SealMAC) || v.anchoredRows != h.Rows):
		v.Anchor.State, v.Anchor.RestoredTo = Restored, &v.kept
	case h.Seal < v.last.seq:
		v.Anchor.State = Behind
	default:
		v.Anchor.State = Agrees
	}
}
