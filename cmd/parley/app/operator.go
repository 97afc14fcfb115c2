package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/google/uuid"
	"github.com/urfave/cli/v3"

	authpostgres "github.com/parley/parley/modules/auth/adapters/postgres"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// operator is what the commands for operators work with. Its actions are audited with "operator" as their user agent.
type operator struct {
	cfg     *config.Config
	log     *slog.Logger
	db      *postgres.DB
	audit   *audit.Log
	admin   *authpostgres.Operator
	json    bool // print one JSON object a line
	out     io.Writer
	closing *closers // of what the command opens
}

// operatorAction is the action of a command for operators.
type operatorAction = func(ctx context.Context, c *cli.Command, o *operator) error

// operatorCommands makes subcommands. The flags that all of them have come after their own.
type operatorCommands struct {
	withConfig     func(configAction) cli.ActionFunc
	withArgument   func(configAction) cli.ActionFunc // for a command that takes an argument
	stdout, stderr io.Writer
	wrong          cli.OnUsageErrorFunc
}

// group returns a command that has subcommands.
func (k operatorCommands) group(name, usage string, commands ...*cli.Command) *cli.Command {
	return &cli.Command{
		Name: name, Usage: usage, OnUsageError: k.wrong, HideHelpCommand: true, Commands: commands,
		Action: alone(func(_ context.Context, c *cli.Command) error { return cli.ShowSubcommandHelp(c) }),
	}
}

// command returns a command that works on the database. It checks the flags before it opens the database; check is nil
// where no flag can be wrong.
func (k operatorCommands) command(name, usage string, do operatorAction, check func(*cli.Command) error, flags ...cli.Flag) *cli.Command {
	return &cli.Command{
		Name: name, Usage: usage, OnUsageError: k.wrong,
		Flags: append(flags, &cli.BoolFlag{Name: "json", Usage: "print one JSON object a line"}),
		Action: k.withConfig(func(ctx context.Context, c *cli.Command, cfg *config.Config) error {
			if check != nil {
				if err := check(c); err != nil {
					return usageError{err}
				}
			}
			return k.open(ctx, c, cfg, do)
		}),
	}
}

// open opens the database, whether parley runs or not, and runs the command.
func (k operatorCommands) open(ctx context.Context, c *cli.Command, cfg *config.Config, do operatorAction) (err error) {
	log := newLogger(cfg, k.stderr)
	d, err := joinDatabase(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	at, newest, dirty, err := postgres.NewMigrator(d.direct, log).Status(ctx)
	if err != nil {
		return err
	}
	if dirty || at < newest {
		return fmt.Errorf("the database is at version %d of %d: run parley migrate up first", at, newest)
	}
	var closing closers
	defer func() { err = errors.Join(err, closing.close()) }()
	db, err := postgres.Open(ctx, postgres.Options{URL: d.url, Pooled: d.pooled(), MaxConns: cfg.Connections()})
	if err != nil {
		return err
	}
	closing.do(db.Close)
	ctx = callctx.With(ctx, &callctx.Call{TraceID: strings.ReplaceAll(c.FullName(), " ", "-"), UserAgent: audit.Operator})
	return explain(do(ctx, c, &operator{
		cfg: cfg, log: log, db: db, audit: audit.NewLog(db), admin: authpostgres.NewOperator(db), json: c.Bool("json"), out: k.stdout, closing: &closing,
	}))
}

// explain turns wrong fields into a usage error, with one line for each.
func explain(err error) error {
	fields := fail.WrongFields(err)
	if len(fields) == 0 {
		return err
	}
	wrong := make([]error, len(fields))
	for i, f := range fields {
		wrong[i] = fmt.Errorf("%s: %s", f.Field, f.Message)
	}
	return usageError{errors.Join(wrong...)}
}

// print prints a value as a line of JSON, or as text.
func (o *operator) print(value any, text string) error {
	if o.json {
		return json.NewEncoder(o.out).Encode(value)
	}
	_, err := fmt.Fprintln(o.out, text)
	return err
}

const idPageSize = 500 // that are read together

// eachWorkspace runs work in the workspace that --workspace names, or in all.
func (o *operator) eachWorkspace(ctx context.Context, c *cli.Command, work func(ctx context.Context, workspace uuid.UUID) error) error {
	if c.String("workspace") != "" {
		workspace := uuid.MustParse(c.String("workspace")) // it was checked
		in := callctx.As(ctx, workspace, uuid.Nil)
		if _, err := o.admin.Workspace(in); err != nil {
			return err
		}
		return work(in, workspace)
	}
	return eachID(ctx, o.admin.AllWorkspaces, func(workspace uuid.UUID) error {
		err := work(callctx.As(ctx, workspace, uuid.Nil), workspace)
		if errors.Is(err, ports.ErrNoWorkspace) { // it was purged in the meantime
			return nil
		}
		return err
	})
}

// eachID runs work for every id of a list that is read in pages.
func eachID(ctx context.Context, list func(context.Context, *uuid.UUID, int) ([]uuid.UUID, error), work func(uuid.UUID) error) error {
	var after *uuid.UUID
	for {
		ids, err := list(ctx, after, idPageSize)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := work(id); err != nil {
				return err
			}
		}
		if len(ids) < idPageSize {
			return nil
		}
		after = &ids[len(ids)-1]
	}
}

// record records an action of the operator in the audit log of a workspace, in the transaction of the context.
func (o *operator) record(ctx context.Context, workspace uuid.UUID, e audit.Entry) error {
	return o.audit.Record(callctx.As(ctx, workspace, uuid.Nil), e)
}

// note records an action of the operator in the log of the installation, in the transaction of the context if there is
// one.
func (o *operator) note(ctx context.Context, e audit.Entry) error {
	ctx = callctx.As(ctx, audit.Installation(), uuid.Nil)
	return o.db.Write(ctx, func(ctx context.Context) error { return o.audit.Record(ctx, e) })
}

func workspaceFlag() cli.Flag { return &cli.StringFlag{Name: "workspace", Usage: "its id"} }

// checkIDs refuses flags that are not ids. If wanted is set, the flags are required.
func checkIDs(c *cli.Command, wanted bool, names ...string) error {
	var wrong []error
	for _, name := range names {
		if c.String(name) == "" && !wanted {
			continue
		}
		if _, err := uuid.Parse(c.String(name)); err != nil {
			wrong = append(wrong, fmt.Errorf("--%s: should be an id", name))
		}
	}
	return errors.Join(wrong...)
}

// optionalWorkspace checks --workspace, which may be left out.
func optionalWorkspace(c *cli.Command) error { return checkIDs(c, false, "workspace") }
