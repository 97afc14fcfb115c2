package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/google/uuid"
	"github.com/urfave/cli/v3"

	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/config"
	"github.com/parley/parley/platform/postgres"
	"github.com/parley/parley/platform/usage"
)

// limitsCommand is parley limits: what a workspace may use is for operators to say, so there is no call for it.
func limitsCommand(withConfig func(configAction) cli.ActionFunc, stdout, stderr io.Writer, wrong cli.OnUsageErrorFunc) *cli.Command {
	flags := func() []cli.Flag {
		return []cli.Flag{
			&cli.StringFlag{Name: "workspace", Usage: "its id"},
			&cli.StringFlag{Name: "metric", Usage: "turns, tokens, messages, webhook_events, cost_micros, storage_bytes, bots, members, api_keys or webhook_subscriptions"},
		}
	}
	return &cli.Command{
		Name: "limits", Usage: "give a workspace limits of its own", OnUsageError: wrong, HideHelpCommand: true,
		Action: alone(func(_ context.Context, c *cli.Command) error { return cli.ShowSubcommandHelp(c) }),
		Commands: []*cli.Command{
			{
				Name: "set", Usage: "in place of what the settings say", OnUsageError: wrong,
				Flags: append(flags(), &cli.Int64Flag{Name: "max", Value: -1, Usage: "in a month, of storage at a time; 0: no limit"}),
				Action: withConfig(func(ctx context.Context, c *cli.Command, cfg *config.Config) error {
					most := c.Int64("max")
					return changeLimit(ctx, c, cfg, stdout, stderr, &most)
				}),
			},
			{
				Name: "unset", Usage: "have the settings hold for it again", OnUsageError: wrong, Flags: flags(),
				Action: withConfig(func(ctx context.Context, c *cli.Command, cfg *config.Config) error {
					return changeLimit(ctx, c, cfg, stdout, stderr, nil)
				}),
			},
		},
	}
}

// changeLimit sets a limit, or takes it back where most is nil, writes that into the workspace's audit log, and prints
// what holds now.
func changeLimit(ctx context.Context, c *cli.Command, cfg *config.Config, stdout, stderr io.Writer, most *int64) (err error) {
	workspace, err := uuid.Parse(c.String("workspace"))
	if err != nil {
		return usageError{errors.New("--workspace: should be the id of a workspace")}
	}
	metric := usage.Metric(c.String("metric"))
	if !slices.Contains(usage.Metrics(), metric) {
		return usageError{fmt.Errorf("--metric: should be one of %v", usage.Metrics())}
	}
	if most != nil && (*most < 0 || *most > usage.Most) {
		return usageError{fmt.Errorf("--max: should be a whole number from 0 to %d", usage.Most)}
	}
	database, err := openDatabase(ctx, cfg, newLogger(cfg, stderr))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.close()) }()
	db, err := postgres.Open(ctx, postgres.Options{URL: database.url, Pooled: database.pooled(), MaxConns: 2})
	if err != nil {
		return err
	}
	defer db.Close()
	ctx = call.With(ctx, &call.Call{TraceID: "parley-limits", Principal: call.Principal{WorkspaceID: workspace}})
	meter := &usage.Meter{DB: db, Limits: usageLimits(cfg), Now: now}
	err = db.Write(ctx, func(ctx context.Context) error {
		action, change := "limit.unset", func() error { return meter.UnsetLimit(ctx, metric) }
		if most != nil {
			action, change = "limit.set", func() error { return meter.SetLimit(ctx, metric, *most) }
		}
		return errors.Join(change(), audit.NewLog(db).Record(ctx, audit.Entry{
			Action: action, Resource: "workspace", ResourceID: workspace, Changes: map[string]any{"metric": metric, "max": most},
		}))
	})
	if postgres.Violates(err, "workspace_limits_workspace_id_fkey") {
		return errors.New("there is no such workspace")
	}
	if err != nil {
		return err
	}
	return tellLimits(ctx, meter, stdout)
}

func tellLimits(ctx context.Context, m *usage.Meter, stdout io.Writer) error {
	list, err := m.Report(ctx, usage.Month(m.Now()))
	for _, u := range list {
		most := "no limit"
		if u.Limit != nil {
			most = fmt.Sprint(*u.Limit)
		}
		if _, err := fmt.Fprintf(stdout, "%s %s, used %d\n", u.Metric, most, u.Amount); err != nil {
			return err
		}
	}
	return err
}
