package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/urfave/cli/v3"

	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/background"
	"github.com/parley/parley/platform/blob"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/config"
)

// openAnchor opens what AUDIT_ANCHOR names. The blob store must be open.
func (p *platform) openAnchor() error {
	folder := ""
	switch p.cfg.AuditAnchor {
	case "none":
		return nil
	case "files":
		p.anchor = audit.NewAnchor(p.blobs, "files")
	case "":
		if p.cfg.DatabaseURL != "" {
			return nil // there may be processes that do not share a folder
		}
		folder = filepath.Join(p.cfg.DataDir, "audit-anchor")
	default:
		folder = p.cfg.AuditAnchor
	}
	if folder != "" {
		disk, err := blob.NewDisk(folder)
		if err != nil {
			return fmt.Errorf("AUDIT_ANCHOR: should be files, none, or a folder that can be made and written: %w", err)
		}
		p.closers = append(p.closers, disk.Close)
		p.anchor = audit.NewAnchor(disk, "folder")
	}
	p.sealer.Anchored(p.anchor)
	return nil
}

// keepAnchor begins to write heads of the audit log to the anchor, where there is one.
func (p *platform) keepAnchor() {
	if p.anchor != nil {
		p.background.Every(p.cfg.UpkeepInterval, 10*time.Minute, "anchor the audit log", audit.NewAnchoring(p.sealer, p.log).Run)
	}
}

// auditCommand is parley audit: for the operator who has restored a backup, or lost the anchor.
func auditCommand(withConfig func(configAction) cli.ActionFunc, stdout, stderr io.Writer, wrong cli.OnUsageErrorFunc) *cli.Command {
	one := func() cli.Flag { return &cli.StringFlag{Name: "workspace", Usage: "its id"} }
	all := func() cli.Flag { return &cli.BoolFlag{Name: "all", Usage: "every workspace"} }
	return &cli.Command{
		Name: "audit", Usage: "verify audit logs, and adopt them after a restore", OnUsageError: wrong, HideHelpCommand: true,
		Action: alone(func(_ context.Context, c *cli.Command) error { return cli.ShowSubcommandHelp(c) }),
		Commands: []*cli.Command{
			{
				Name: "verify", Usage: "compare logs with their seals and their anchor, a line each", OnUsageError: wrong, Flags: []cli.Flag{one(), all()},
				Action: withConfig(func(ctx context.Context, c *cli.Command, cfg *config.Config) error {
					return onAudit(ctx, c, cfg, stderr, func(ctx context.Context, p *platform, workspace uuid.UUID) error {
						return verifyLog(ctx, p, workspace, stdout)
					})
				}),
			},
			{
				Name: "adopt", Usage: "take logs as they are: a backup was restored, or the anchor was lost", OnUsageError: wrong, Flags: []cli.Flag{one(), all()},
				Action: withConfig(func(ctx context.Context, c *cli.Command, cfg *config.Config) error {
					return onAudit(ctx, c, cfg, stderr, func(ctx context.Context, p *platform, workspace uuid.UUID) error {
						return adoptLog(ctx, p, workspace, stdout)
					})
				}),
			},
		},
	}
}

// onAudit does work on the log of one workspace, or of every one that has seals.
func onAudit(ctx context.Context, c *cli.Command, cfg *config.Config, stderr io.Writer, work func(context.Context, *platform, uuid.UUID) error) (err error) {
	var workspace uuid.UUID
	if c.Bool("all") == (c.String("workspace") != "") {
		return usageError{errors.New("say either --workspace, with its id, or --all")}
	}
	if !c.Bool("all") {
		if workspace, err = uuid.Parse(c.String("workspace")); err != nil {
			return usageError{errors.New("--workspace: should be the id of a workspace")}
		}
	}
	log := newLogger(cfg, stderr)
	d, err := joinDatabase(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	p, err := auditPlatform(ctx, cfg, log, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	ctx = call.With(ctx, &call.Call{TraceID: "parley-audit"})
	if !c.Bool("all") {
		return work(call.As(ctx, workspace, uuid.Nil), p, workspace)
	}
	return p.sealer.Each(ctx, func(ctx context.Context, workspace uuid.UUID) error { return work(ctx, p, workspace) })
}

// auditPlatform is as much of a platform as parley audit needs.
func auditPlatform(ctx context.Context, cfg *config.Config, log *slog.Logger, d *database) (_ *platform, err error) {
	p := &platform{cfg: cfg, log: log, now: now, background: background.NewRunner(log), metrics: newMeters()}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if err := p.takeSecrets(); err != nil {
		return nil, err
	}
	if err := p.connect(ctx, d, false); err != nil {
		return nil, err
	}
	first, err := p.db.IsFirstKey(ctx, p.master.Key("print"))
	if err != nil {
		return nil, fmt.Errorf("compare SECRET_KEY with the one that the database knows: %w", err)
	}
	if !first { // what it would write would fit nowhere
		return nil, errors.New("SECRET_KEY: should be that of the processes that serve; look whether DATA_DIR is theirs too")
	}
	p.audit, p.sealer = audit.NewLog(p.db), audit.NewSealer(p.db, p.master.Key("audit seal"))
	return p, p.openAnchor()
}

// errNotIntact ends a command that has told what is wrong already.
var errNotIntact = errors.New("the log is not intact")

func verifyLog(ctx context.Context, p *platform, workspace uuid.UUID, stdout io.Writer) error {
	v, err := p.sealer.Verify(ctx)
	if err != nil {
		return err
	}
	word := map[bool]string{true: "intact", false: "NOT INTACT"}[v.Intact()]
	if v.Broken != nil {
		word += fmt.Sprintf(", seal %d does not fit or is gone", *v.Broken)
	}
	anchor := "none"
	if v.Anchor != nil {
		anchor = string(v.Anchor.State)
		if to := v.Anchor.RestoredTo; to != nil {
			anchor += fmt.Sprintf(" to seal %d of %d", to.Seal, v.Anchor.Head.Seal)
			if to.Seal > 0 {
				anchor += " of " + to.SealedAt.UTC().Format(time.RFC3339)
			}
		}
	}
	if _, err := fmt.Fprintf(stdout, "%s %s; %d rows in %d seals, %d not sealed; anchor: %s\n", workspace, word, v.Sealed, v.Seals, v.Unsealed, anchor); err != nil {
		return err
	}
	if !v.Intact() {
		return errNotIntact
	}
	return nil
}

func adoptLog(ctx context.Context, p *platform, workspace uuid.UUID, stdout io.Writer) error {
	done, err := p.sealer.Adopt(ctx, p.audit, workspace)
	if err != nil {
		return err
	}
	before := "no anchor before"
	if done.Before != nil {
		before = fmt.Sprintf("the anchor had %d rows in %d seals", done.Before.Rows, done.Before.Seal)
	}
	_, err = fmt.Fprintf(stdout, "%s adopted with %d rows in %d seals; %s\n", workspace, done.Rows, done.Seal, before)
	return err
}
