package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/urfave/cli/v3"

	authpostgres "github.com/parley/parley/modules/auth/adapters/postgres"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/callctx"
)

// workspacesCommand is parley workspaces.
func workspacesCommand(k operatorCommands) *cli.Command {
	return k.group("workspaces", "list, show and purge workspaces",
		k.command("list", "list all workspaces, including deleted ones", listWorkspaces, optionalWorkspace, workspaceFlag()),
		k.command("show", "show members, usage and limits", showWorkspaces, optionalWorkspace, workspaceFlag()),
		k.command("purge", "remove a deleted workspace permanently, without waiting 30 days", purgeWorkspace, func(c *cli.Command) error {
			err := checkIDs(c, true, "workspace")
			if !c.Bool("yes") {
				err = errors.Join(err, errors.New("--yes: should be given, as a purged workspace cannot be restored"))
			}
			return err
		}, workspaceFlag(), &cli.BoolFlag{Name: "yes", Usage: "confirm that everything in the workspace is removed"}),
	)
}

// workspaceLine is a workspace as it is printed.
type workspaceLine struct {
	ID        uuid.UUID    `json:"id"`
	Name      string       `json:"name"`
	CreatedAt time.Time    `json:"created_at"`
	DeletedAt *time.Time   `json:"deleted_at"`
	Members   int64        `json:"members"`
	People    []memberLine `json:"people,omitempty"`
	Usage     []limitLine  `json:"usage,omitempty"`
}

type memberLine struct {
	UserID   uuid.UUID   `json:"user_id"`
	Email    string      `json:"email"`
	Role     domain.Role `json:"role"`
	JoinedAt time.Time   `json:"joined_at"`
}

func (w workspaceLine) String() string {
	text := fmt.Sprintf("%s %q, created %s, %d members", w.ID, w.Name, w.CreatedAt.UTC().Format(time.RFC3339), w.Members)
	if w.DeletedAt != nil {
		text += ", deleted " + w.DeletedAt.UTC().Format(time.RFC3339)
	}
	return text
}

func (o *operator) workspaceLine(ctx context.Context) (workspaceLine, error) {
	w, err := o.admin.Workspace(ctx)
	return workspaceLine{
		ID: w.ID, Name: w.Name, CreatedAt: w.CreatedAt.UTC(), DeletedAt: inUTC(w.DeletedAt), Members: w.Members,
	}, err
}

// inUTC returns the same time in UTC; nil for nil.
func inUTC(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	utc := at.UTC()
	return &utc
}

func listWorkspaces(ctx context.Context, c *cli.Command, o *operator) error {
	return o.eachWorkspace(ctx, c, func(ctx context.Context, _ uuid.UUID) error {
		line, err := o.workspaceLine(ctx)
		if err != nil {
			return err
		}
		return o.print(line, line.String())
	})
}

func showWorkspaces(ctx context.Context, c *cli.Command, o *operator) error {
	return o.eachWorkspace(ctx, c, func(ctx context.Context, _ uuid.UUID) error {
		line, err := o.workspaceLine(ctx)
		if err != nil {
			return err
		}
		if line.People, err = o.people(ctx); err != nil {
			return err
		}
		used, err := o.quota().Report(ctx, usage.Month(now()))
		if err != nil {
			return err
		}
		text := []string{line.String()}
		for _, p := range line.People {
			text = append(text, fmt.Sprintf("  %s %s %s", p.Role, p.UserID, p.Email))
		}
		for _, u := range used {
			line.Usage = append(line.Usage, toLimitLine(u))
			text = append(text, "  "+toLimitLine(u).String())
		}
		return o.print(line, strings.Join(text, "\n"))
	})
}

// people reads all members of the workspace of the context.
func (o *operator) people(ctx context.Context) (people []memberLine, err error) {
	members := authpostgres.NewMembers(o.db)
	var after *ports.Position
	for {
		page, err := members.List(ctx, after, idPageSize)
		if err != nil {
			return nil, err
		}
		for _, m := range page {
			people = append(people, memberLine{UserID: m.UserID, Email: m.Email, Role: m.Role, JoinedAt: m.JoinedAt.UTC()})
			after = &ports.Position{At: m.JoinedAt, ID: m.UserID}
		}
		if len(page) < idPageSize {
			return people, nil
		}
	}
}

// purgeWorkspace removes a deleted workspace with the steps of the automatic purge.
func purgeWorkspace(ctx context.Context, c *cli.Command, o *operator) error {
	workspace := uuid.MustParse(c.String("workspace"))
	ctx = callctx.As(ctx, workspace, uuid.Nil)
	before, err := o.admin.Workspace(ctx)
	if err != nil {
		return err
	}
	elsewhere, err := o.purgeHooks(ctx)
	if err != nil {
		return err
	}
	var rows int64
	purge := usecases.PurgeWorkspaces{
		Removal: authpostgres.NewWorkspaces(o.db), Control: o.admin, Elsewhere: elsewhere,
		Purged: func(_ context.Context, _ uuid.UUID, n int64, _ bool) { rows += n },
	}
	err = o.db.Write(ctx, func(ctx context.Context) error {
		return errors.Join(purge.Begin(ctx), o.record(ctx, workspace, audit.Entry{
			Action: "workspace.purge", Resource: "workspace", ResourceID: workspace, Changes: map[string]any{"deleted_at": before.DeletedAt},
		}))
	})
	if err != nil {
		return err
	}
	// The entry above is removed with the workspace; this one stays. It is written before anything is removed, so that
	// every purge has one.
	lasting := audit.Entry{Action: "workspace.purge", Resource: "workspace", ResourceID: workspace, Changes: map[string]any{
		"name": before.Name, "deleted_at": before.DeletedAt, "members": before.Members,
	}}
	if err := o.note(ctx, lasting); err != nil {
		return err
	}
	done, err := purge.One(ctx, workspace)
	if err != nil {
		return err
	}
	lasting.Action, lasting.Changes = "workspace.purged", map[string]any{"rows": rows, "finished": done}
	if err := o.note(ctx, lasting); err != nil {
		return err
	}
	text := fmt.Sprintf("%s is purged, %d rows", workspace, rows)
	if !done {
		text = fmt.Sprintf("%s is being purged by another process", workspace)
	}
	return o.print(map[string]any{"id": workspace, "purged": done, "rows": rows}, text)
}

// purgeHooks returns what removes the data of a purged workspace that is outside the database.
func (o *operator) purgeHooks(ctx context.Context) ([]purgeHook, error) {
	files, err := openFiles(ctx, o.cfg, guards(o.log, nil), o.closing)
	if err != nil {
		return nil, err
	}
	counts, err := openCounts(o.cfg, o.db, guards(o.log, nil), o.closing)
	if err != nil {
		return nil, err
	}
	anchor, err := openAnchor(o.cfg, files.Store, o.closing)
	if err != nil {
		return nil, err
	}
	vectors, err := openVectors(o.cfg, o.db, guards(o.log, nil), o.closing)
	if err != nil {
		return nil, err
	}
	return slices.Concat(filesPurge(files.Store), anchorPurge(anchor), countsPurge(counts), vectorsPurge(vectors)), nil
}
