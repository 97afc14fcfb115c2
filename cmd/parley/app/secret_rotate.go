package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/urfave/cli/v3"

	"github.com/parley/parley/modules/auth/adapters/outbox"
	auth "github.com/parley/parley/modules/auth/adapters/postgres"
	bots "github.com/parley/parley/modules/bots/adapters/postgres"
	channels "github.com/parley/parley/modules/channels/adapters/postgres"
	conversations "github.com/parley/parley/modules/conversations/adapters/postgres"
	knowledge "github.com/parley/parley/modules/knowledge/adapters/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/ops/keystore"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/operations"
	"github.com/parley/parley/platform/work/webhook"
)

const (
	resealBatch   = 200    // texts that are sealed again in one transaction
	stalePageSize = 10_000 // workspaces that are searched together
	rotatePasses  = 3      // over all workspaces, for what running processes seal in the meantime
	progressEvery = 1000   // workspaces
)

// sealedKind is a kind of sealed texts, with its name in keystore.Count.
type sealedKind struct {
	name   string
	reseal secret.Resealer
}

// rotation is a run of parley secret rotate.
type rotation struct {
	*operator
	ring      secret.Ring
	sealer    *audit.Sealer
	store     keystore.Store
	kinds     []sealedKind
	factors   *auth.SecondFactors // which belong to users and no workspace
	mark      secret.Mark
	modelMark secret.Mark
	anchoring *audit.Anchoring // nil: there is no anchor

	resealed   map[string]int
	stuck      int // texts and heads of this pass that no key can open
	workspaces int
}

// rotateSecret seals again everything that is sealed under a former SECRET_KEY, one workspace in each transaction. The
// data itself shows what is done, so an interrupted run can be started again.
func rotateSecret(ctx context.Context, _ *cli.Command, o *operator) error {
	r, known, err := newRotation(ctx, o)
	if err != nil {
		return err
	}
	current := r.ring.Current()
	if known != current.ID() {
		begun := audit.Entry{Action: "secret.rotate", Resource: "installation", ResourceID: audit.Installation(), Changes: map[string]any{
			"key": current.ID().String(), "former": known.String(),
		}}
		if err := o.note(ctx, begun); err != nil {
			return err
		}
		if r.resealed["retired_keys"], err = r.store.Retire(ctx, r.ring); err != nil {
			return err
		}
	}
	for range rotatePasses {
		before := r.total()
		if err := r.pass(ctx); err != nil {
			return err
		}
		if err := r.users(ctx); err != nil {
			return err
		}
		if r.total() == before {
			break
		}
	}
	anchors, err := r.anchors(ctx)
	if err != nil {
		return err
	}
	return r.finish(ctx, known, anchors)
}

func newRotation(ctx context.Context, o *operator) (r *rotation, known secret.KeyID, err error) {
	keys, sealer, anchor, err := o.openSealer(ctx)
	if err != nil {
		return nil, known, err
	}
	keys.IDsFrom = now()
	models, err := modelRing(keys.Ring, o.cfg)
	if err != nil {
		return nil, known, err
	}
	r = &rotation{operator: o, ring: keys.Ring, sealer: sealer, store: keystore.Store{DB: o.db}, resealed: map[string]int{}}
	r.factors = auth.NewSecondFactors(o.db, r.ring.Box(boxOfFactors))
	webhooks, modelBox := webhook.Keys{Box: r.ring.Box(boxOfWebhooks)}, models.Box(boxOfModels)
	r.mark, r.modelMark = webhooks.Box.Mark(), modelBox.Mark()
	r.kinds = []sealedKind{
		{keystore.ModelKeys, conversations.Models{DB: o.db, Box: modelBox}.Reseal},
		{keystore.ModelKeys, knowledge.EmbeddingKeys{DB: o.db, Box: modelBox}.Reseal},
		{"endpoint_secrets", channels.ResealEndpoints(o.db, webhooks)},
		{"subscription_secrets", channels.ResealSubscriptions(o.db, webhooks)},
		{"tool_credentials", bots.ToolCredentials{DB: o.db, Box: r.ring.Box(boxOfTools)}.Reseal},
		{"emails", outbox.Outbox{Queue: newQueue(o.db).jobs, Box: r.ring.Box(boxOfEmails)}.Reseal},
		{"answers", operations.NewStore(o.db, r.ring.Box(boxOfAnswers)).Reseal},
	}
	if anchor != nil {
		r.anchoring = audit.NewAnchoring(sealer, o.log)
	}
	known, err = r.store.Known(ctx)
	return r, known, err
}

func (r *rotation) total() (n int) {
	for _, of := range r.resealed {
		n += of
	}
	return n
}

// pass handles all workspaces with something that is sealed under another key.
func (r *rotation) pass(ctx context.Context) error {
	r.stuck = 0
	for after := uuid.Nil; ; {
		ids, err := r.store.Stale(ctx, r.mark, r.modelMark, after, stalePageSize)
		if err != nil {
			return err
		}
		for _, workspace := range ids {
			if err := r.workspace(callctx.As(ctx, workspace, uuid.Nil), workspace); err != nil {
				return fmt.Errorf("workspace %s: %w", workspace, err)
			}
			if r.workspaces++; r.workspaces%progressEvery == 0 {
				r.log.InfoContext(ctx, "secrets are sealed anew", "workspaces", r.workspaces, "resealed", r.total(), "at", workspace)
			}
			after = workspace
		}
		if len(ids) < stalePageSize {
			return nil
		}
	}
}

func (r *rotation) workspace(ctx context.Context, workspace uuid.UUID) error {
	for _, kind := range r.kinds {
		for after, more := "", true; more; {
			done, err := kind.reseal(ctx, after, resealBatch)
			if err != nil {
				return err
			}
			r.resealed[kind.name] += done.Resealed
			r.stuck += done.Stuck
			after, more = done.Next, done.Next != ""
		}
	}
	changed, fits, err := r.sealer.Rekey(ctx, workspace)
	if err != nil {
		return err
	}
	if changed {
		r.resealed["audit_heads"]++
	}
	if !fits {
		r.stuck++
		r.log.WarnContext(ctx, "the head of an audit log does not fit, and stays as it is: parley audit verify tells of it", "workspace", workspace)
	}
	if changed, fits, err = r.sealer.RekeyCut(ctx, workspace); err != nil {
		return err
	}
	if changed {
		r.resealed["audit_cuts"]++
	}
	if !fits {
		r.stuck++
		r.log.WarnContext(ctx, "the cut of an audit log does not fit, and stays as it is: parley audit verify shows it", "workspace", workspace)
	}
	return nil
}

// users seals the secrets of users again that are sealed under another key.
func (r *rotation) users(ctx context.Context) error {
	for after := uuid.Nil; ; {
		ids, err := r.factors.Stale(ctx, after, resealBatch)
		if err != nil {
			return err
		}
		for _, user := range ids {
			done, err := r.factors.Reseal(callctx.As(ctx, uuid.Nil, user))
			if err != nil {
				return fmt.Errorf("user %s: %w", user, err)
			}
			r.resealed["second_factors"] += done.Resealed
			r.stuck += done.Stuck
			after = user
		}
		if len(ids) < resealBatch {
			return nil
		}
	}
}

// anchors renews the anchors of all logs, and returns how many could not be read or written.
func (r *rotation) anchors(ctx context.Context) (failed int, err error) {
	if r.anchoring == nil {
		return 0, nil
	}
	err = r.sealer.Each(ctx, func(ctx context.Context, workspace uuid.UUID) error {
		renewed, err := r.anchoring.Renew(ctx, workspace)
		if renewed {
			r.resealed["audit_anchors"]++
		}
		if err != nil {
			failed++
			r.log.WarnContext(ctx, "an anchor of the audit log was not renewed", "workspace", workspace, "error", err)
		}
		return nil
	})
	return failed, err
}

// finish counts what is left. If nothing is left, it makes the new key that of the database.
func (r *rotation) finish(ctx context.Context, known secret.KeyID, anchors int) error {
	counts, err := compareKeys(ctx, r.store, r.ring, r.cfg)
	if err != nil {
		return err
	}
	left, current := int64(anchors), r.ring.Current()
	var lost int64
	var lines []sealedLine
	var notCurrent strings.Builder
	for _, c := range counts {
		switch c.State {
		case "current":
			continue
		case "unknown":
			lost += c.Count
		default:
			left += c.Count
		}
		lines = append(lines, c)
		notCurrent.WriteString("\n  " + c.String())
	}
	unopened := min(int64(r.stuck), left-int64(anchors)) // no key can open them, so no former key is needed for them
	complete := left == unopened
	if complete && known != current.ID() {
		err := r.db.Write(callctx.As(ctx, audit.Installation(), uuid.Nil), func(ctx context.Context) error {
			return errors.Join(r.store.Adopt(ctx, current), r.note(ctx, audit.Entry{
				Action: "secret.rotated", Resource: "installation", ResourceID: audit.Installation(),
				Changes: map[string]any{"key": current.ID().String(), "former": known.String(), "resealed": r.resealed, "unopened": unopened, "unknown": lost},
			}))
		})
		if err != nil {
			return err
		}
	}
	text := fmt.Sprintf("%d texts were sealed anew with the key %s; %d are left under former keys, %d cannot be opened, %d were sealed with unknown keys",
		r.total(), current.ID(), left-unopened, unopened, lost)
	text += notCurrent.String()
	if complete {
		text += "\nSECRET_PREVIOUS_KEYS is needed no more"
	}
	err = r.print(map[string]any{
		"key": current.ID().String(), "former": known.String(), "resealed": r.resealed, "workspaces": r.workspaces, "left": left - unopened,
		"unopened": unopened, "unknown": lost, "complete": complete, "not_current": lines,
	}, text)
	if err != nil || complete {
		return err
	}
	return errors.New("not all is sealed anew: a process that still seals with a former SECRET_KEY runs, or the anchor of the audit log is away; run this again when that is over")
}

// sealedLine is how many texts of a kind are sealed under a key, as it is printed.
type sealedLine struct {
	Kind  string `json:"kind"`
	Key   string `json:"key"`   // its id; none: the texts do not name one
	State string `json:"state"` // current, former, unnamed or unknown
	Count int64  `json:"count"`
}

func (l sealedLine) String() string {
	return fmt.Sprintf("%s: %d under the key %s (%s)", strings.ReplaceAll(l.Kind, "_", " "), l.Count, l.Key, l.State)
}

// compareKeys counts what is sealed under which key, and compares the keys with the configured ones.
func compareKeys(ctx context.Context, store keystore.Store, ring secret.Ring, cfg *config.Config) ([]sealedLine, error) {
	models, err := modelRing(ring, cfg)
	if err != nil {
		return nil, err
	}
	counts, err := store.Sealed(ctx)
	if err != nil {
		return nil, err
	}
	lines := make([]sealedLine, len(counts))
	for i, c := range counts {
		of := ring
		if c.Kind == keystore.ModelKeys {
			of = models
		}
		state := "unknown"
		switch {
		case c.Key == of.Current().ID():
			state = "current"
		case c.Key == secret.KeyID{}:
			state = "unnamed"
		case slices.ContainsFunc(of.Masters(), func(m secret.Master) bool { return m.ID() == c.Key }):
			state = "former"
		}
		lines[i] = sealedLine{c.Kind, c.Key.String(), state, c.N}
	}
	return lines, nil
}

// secretStatus prints what is sealed under which key.
func secretStatus(ctx context.Context, _ *cli.Command, o *operator) (err error) {
	ring, found, err := presentRing(o.cfg)
	if err != nil {
		return err
	}
	if !found {
		return errors.New("SECRET_KEY: should be set, or DATA_DIR be the folder that has the key which was made at the first start")
	}
	store := keystore.Store{DB: o.db}
	lines, err := compareKeys(ctx, store, ring, o.cfg)
	if err != nil {
		return err
	}
	known, err := store.Known(ctx)
	if err != nil {
		return err
	}
	if !o.json {
		if err := o.print(nil, fmt.Sprintf("the database is used with the key %s; SECRET_KEY is %s", known, ring.Current().ID())); err != nil {
			return err
		}
	}
	for _, line := range lines {
		if err := o.print(line, line.String()); err != nil {
			return err
		}
	}
	return nil
}
