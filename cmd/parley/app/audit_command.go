package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/urfave/cli/v3"

	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
)

// auditCommand is parley audit, for an operator who has restored a backup or lost the anchor.
func auditCommand(k operatorCommands) *cli.Command {
	all := func() cli.Flag { return &cli.BoolFlag{Name: "all", Usage: "every workspace, and what operators did"} }
	installation := func() cli.Flag {
		return &cli.BoolFlag{Name: "installation", Usage: "what operators did that is of no workspace, or outlives it"}
	}
	return k.group("audit", "verify and list audit logs, and adopt them after a restore",
		k.command("verify", "compare logs with their seals and their anchor, one line each", onLogs(verifyLog), checkLogs(true), workspaceFlag(), all(), installation()),
		k.command("adopt", "accept logs as they are, after a backup was restored or the anchor was lost", onLogs(adoptLog), checkLogs(true), workspaceFlag(), all(), installation()),
		k.command("list", "list the newest entries of a log, the newest first", listLog, func(c *cli.Command) error {
			err := checkLogs(false)(c)
			if n := c.Int("limit"); n < 1 || n > maxListed {
				err = errors.Join(err, fmt.Errorf("--limit: should be a whole number from 1 to %d", maxListed))
			}
			return err
		}, workspaceFlag(), installation(), &cli.StringFlag{Name: "action", Usage: "such as workspace.purge"}, &cli.IntFlag{Name: "limit", Value: 100, Usage: "how many entries at the most"}),
	)
}

const maxListed = 10_000 // entries of a log

// checkLogs requires one of the flags that select a log.
func checkLogs(orAll bool) func(*cli.Command) error {
	return func(c *cli.Command) error {
		given := 0
		for _, is := range []bool{orAll && c.Bool("all"), c.String("workspace") != "", c.Bool("installation")} {
			if is {
				given++
			}
		}
		if given != 1 {
			return errors.New("say either --workspace, with its id, or --installation" + map[bool]string{true: ", or --all"}[orAll])
		}
		if c.String("workspace") != "" {
			return checkWorkspace(c)
		}
		return nil
	}
}

// namedLog returns the workspace whose log the flags select.
func namedLog(c *cli.Command) uuid.UUID {
	if c.Bool("installation") {
		return audit.Installation()
	}
	return uuid.MustParse(c.String("workspace")) // it was checked
}

// onLogs runs work on the log of one workspace, or of every workspace that has seals.
func onLogs(work func(ctx context.Context, o *operator, sealer *audit.Sealer, workspace uuid.UUID) error) operatorAction {
	return func(ctx context.Context, c *cli.Command, o *operator) error {
		_, sealer, _, err := o.openSealer(ctx)
		if err != nil {
			return err
		}
		if !c.Bool("all") {
			workspace := namedLog(c)
			return work(callctx.As(ctx, workspace, uuid.Nil), o, sealer, workspace)
		}
		return sealer.Each(ctx, func(ctx context.Context, workspace uuid.UUID) error { return work(ctx, o, sealer, workspace) })
	}
}

// openSealer opens the keys, the sealer of audit logs and its anchor, which is nil where there is none. It returns an
// error for another SECRET_KEY than the one that the database is used with: the sealer would write seals that do not
// verify.
func (o *operator) openSealer(ctx context.Context) (keys keyset, sealer *audit.Sealer, anchor *audit.Anchor, err error) {
	files, err := openFiles(ctx, o.cfg, guards(o.log, nil), o.closing)
	if err != nil {
		return keys, nil, nil, err
	}
	ring, err := ringOf(o.cfg)
	if err != nil {
		return keys, nil, nil, err
	}
	if keys, err = useKeys(ctx, o.cfg, o.log, o.db, ring); err != nil {
		return keys, nil, nil, err
	}
	if anchor, err = openAnchor(o.cfg, files.Store, o.closing); err != nil {
		return keys, nil, nil, err
	}
	return keys, newSealer(o.db, keys, anchor), anchor, nil
}

// entryLine is an entry of a log as it is printed.
type entryLine struct {
	ID          uuid.UUID       `json:"id"`
	Workspace   *uuid.UUID      `json:"workspace_id"` // null: the log of the installation
	At          time.Time       `json:"created_at"`
	UserID      *uuid.UUID      `json:"user_id"`
	KeyID       *uuid.UUID      `json:"api_key_id"`
	OperationID *uuid.UUID      `json:"operation_id"`
	Action      string          `json:"action"`
	Resource    string          `json:"resource_type"`
	ResourceID  *uuid.UUID      `json:"resource_id"`
	Changes     json.RawMessage `json:"changes"`
	UserAgent   string          `json:"user_agent"` // operator: written by one of these commands
	TraceID     string          `json:"trace_id"`
}

// listLog prints the newest entries of a log.
func listLog(ctx context.Context, c *cli.Command, o *operator) error {
	workspace := namedLog(c)
	ctx = callctx.As(ctx, workspace, uuid.Nil)
	if workspace != audit.Installation() {
		if _, err := o.admin.Workspace(ctx); err != nil {
			return err
		}
	}
	var after *audit.Position
	for left := c.Int("limit"); left > 0; {
		rows, err := o.audit.List(ctx, audit.Filter{Action: optionalText(c, "action")}, after, min(left, idPageSize))
		if err != nil {
			return err
		}
		for _, r := range rows {
			line := entryLine{
				ID: r.ID, Workspace: &r.WorkspaceID, At: r.CreatedAt.UTC(), UserID: r.UserID, KeyID: r.KeyID, OperationID: r.OperationID, Action: r.Action,
				Resource: r.Resource, ResourceID: r.ResourceID, Changes: r.Changes, UserAgent: r.UserAgent, TraceID: r.TraceID,
			}
			if workspace == audit.Installation() {
				line.Workspace = nil
			}
			resource := ""
			if r.ResourceID != nil {
				resource = " " + r.ResourceID.String()
			}
			if err := o.print(line, fmt.Sprintf("%s %s %s%s %s", line.At.Format(time.RFC3339), r.Action, r.Resource, resource, r.Changes)); err != nil {
				return err
			}
			position := r.Position()
			after = &position
		}
		if len(rows) < min(left, idPageSize) {
			return nil
		}
		left -= len(rows)
	}
	return nil
}

// errNotIntact ends a command that has already printed what is wrong.
var errNotIntact = errors.New("the log is not intact")

// verifiedLine is the printed result of verifying a log.
type verifiedLine struct {
	Workspace   uuid.UUID `json:"workspace_id"`
	Intact      bool      `json:"intact"`
	Sealed      int64     `json:"sealed_rows"`
	Seals       int64     `json:"seals"`
	Unsealed    int64     `json:"unsealed_rows"`
	Broken      *int64    `json:"broken_seal"`
	UnknownKeys []string  `json:"unknown_keys"`
	Cut         *cutLine  `json:"cut"`
	Anchor      string    `json:"anchor"`
}

// cutLine says what was removed from the beginning of a log.
type cutLine struct {
	Seals int64     `json:"seals"`
	Rows  int64     `json:"rows"`
	At    time.Time `json:"at"`
}

func verifyLog(ctx context.Context, o *operator, sealer *audit.Sealer, workspace uuid.UUID) error {
	v, err := sealer.Verify(ctx)
	if err != nil {
		return err
	}
	word := map[bool]string{true: "intact", false: "NOT INTACT"}[v.Intact()]
	if v.Broken != nil {
		word += fmt.Sprintf(", seal %d does not fit or is gone", *v.Broken)
	}
	if len(v.UnknownKeys) > 0 {
		word += fmt.Sprintf(", seals made with keys that are not known (%s): put the former SECRET_KEY into SECRET_PREVIOUS_KEYS", strings.Join(v.UnknownKeys, ", "))
	}
	line := verifiedLine{workspace, v.Intact(), v.Sealed, v.Seals, v.Unsealed, v.Broken, append([]string{}, v.UnknownKeys...), nil, "none"}
	anchor, removed := "none", ""
	if v.Cut != nil {
		line.Cut = &cutLine{v.Cut.Seals, v.Cut.Rows, v.Cut.At}
		removed = fmt.Sprintf(" behind %d rows in %d seals that were removed until %s", v.Cut.Rows, v.Cut.Seals, v.Cut.At.UTC().Format(time.RFC3339))
	}
	if v.Anchor != nil {
		anchor = string(v.Anchor.State)
		line.Anchor = anchor
		if to := v.Anchor.RestoredTo; to != nil {
			anchor += fmt.Sprintf(" to seal %d of %d", to.Seal, v.Anchor.Head.Seal)
			if to.Seal > 0 {
				anchor += " of " + to.SealedAt.UTC().Format(time.RFC3339)
			}
		}
	}
	if err := o.print(line, fmt.Sprintf("%s %s; %d rows in %d seals%s, %d not sealed; anchor: %s", workspace, word, v.Sealed, v.Seals, removed, v.Unsealed, anchor)); err != nil {
		return err
	}
	if !v.Intact() {
		return errNotIntact
	}
	return nil
}

// adoptLog adopts a log, and records that in the log itself.
func adoptLog(ctx context.Context, o *operator, sealer *audit.Sealer, workspace uuid.UUID) error {
	done, err := sealer.Adopt(ctx, o.audit, workspace)
	if err != nil {
		return err
	}
	before := "no anchor before"
	if done.Before != nil {
		before = fmt.Sprintf("the anchor had %d rows in %d seals", done.Before.Rows, done.Before.Seal)
	}
	return o.print(map[string]any{"workspace_id": workspace, "rows": done.Rows, "seals": done.Seal},
		fmt.Sprintf("%s adopted with %d rows in %d seals; %s", workspace, done.Rows, done.Seal, before))
}
