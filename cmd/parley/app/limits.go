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

	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/usage"
)

// limitsCommand is parley limits. Only operators set the limits of a workspace, so the API has no call for it.
func limitsCommand(k operatorCommands) *cli.Command {
	metric := func() cli.Flag {
		names := make([]string, 0, len(usage.Metrics()))
		for _, m := range usage.Metrics() {
			names = append(names, string(m))
		}
		return &cli.StringFlag{Name: "metric", Usage: strings.Join(names, ", ")}
	}
	return k.group("limits", "show the usage and the limits of workspaces, and set limits of a workspace",
		k.command("show", "show the usage and the limits", showLimits, func(c *cli.Command) error {
			if c.String("metric") == "" {
				return optionalWorkspace(c)
			}
			return errors.Join(optionalWorkspace(c), checkMetric(c))
		}, workspaceFlag(), metric()),
		k.command("set", "set a limit that overrides the settings", func(ctx context.Context, c *cli.Command, o *operator) error {
			limit := c.Int64("max")
			return changeLimit(ctx, c, o, &limit)
		}, func(c *cli.Command) error {
			err := errors.Join(checkWorkspace(c), checkMetric(c))
			if limit := c.Int64("max"); limit < 0 || limit > usage.MaxLimit {
				err = errors.Join(err, fmt.Errorf("--max: should be a whole number from 0 to %d", usage.MaxLimit))
			}
			return err
		}, workspaceFlag(), metric(), &cli.Int64Flag{Name: "max", Value: -1, Usage: "per month, or at any time for storage; 0: no limit"}),
		k.command("unset", "remove a limit, so that the settings apply again", func(ctx context.Context, c *cli.Command, o *operator) error {
			return changeLimit(ctx, c, o, nil)
		}, func(c *cli.Command) error { return errors.Join(checkWorkspace(c), checkMetric(c)) }, workspaceFlag(), metric()),
	)
}

// quota returns the usage and the limits of workspaces.
func (o *operator) quota() *usage.Quota { return newQuota(o.cfg, o.db, newQueue(o.db).events) }

func checkWorkspace(c *cli.Command) error {
	if _, err := uuid.Parse(c.String("workspace")); err != nil {
		return errors.New("--workspace: should be the id of a workspace")
	}
	return nil
}

func checkMetric(c *cli.Command) error {
	if !slices.Contains(usage.Metrics(), usage.Metric(c.String("metric"))) {
		return fmt.Errorf("--metric: should be one of %v", usage.Metrics())
	}
	return nil
}

// changeLimit sets a limit, or removes it where it is nil, records that in the workspace's audit log, and prints the
// limit that now applies.
func changeLimit(ctx context.Context, c *cli.Command, o *operator, limit *int64) error {
	metric, quota := usage.Metric(c.String("metric")), o.quota()
	return o.eachWorkspace(ctx, c, func(ctx context.Context, workspace uuid.UUID) error {
		err := o.db.Write(ctx, func(ctx context.Context) error {
			action, change := "limit.unset", func() error { return quota.UnsetLimit(ctx, metric) }
			if limit != nil {
				action, change = "limit.set", func() error { return quota.SetLimit(ctx, metric, *limit) }
			}
			return errors.Join(change(), o.record(ctx, workspace, audit.Entry{
				Action: action, Resource: "workspace", ResourceID: workspace, Changes: map[string]any{"metric": metric, "max": limit},
			}))
		})
		if err != nil {
			return err
		}
		return o.printLimits(ctx, workspace, "", false)
	})
}

func showLimits(ctx context.Context, c *cli.Command, o *operator) error {
	return o.eachWorkspace(ctx, c, func(ctx context.Context, workspace uuid.UUID) error {
		return o.printLimits(ctx, workspace, usage.Metric(c.String("metric")), c.String("workspace") == "")
	})
}

// limitLine is the usage and the limit of a workspace for one metric, as it is printed.
type limitLine struct {
	Workspace *uuid.UUID   `json:"workspace_id,omitempty"`
	Metric    usage.Metric `json:"metric"`
	Used      int64        `json:"used"`
	Limit     *int64       `json:"limit"` // null: none
	Resets    *time.Time   `json:"resets_at"`
}

func toLimitLine(u usage.Used) limitLine {
	return limitLine{Metric: u.Metric, Used: u.Amount, Limit: u.Limit, Resets: u.Resets}
}

func (l limitLine) String() string {
	limit := "no limit"
	if l.Limit != nil {
		limit = fmt.Sprint(*l.Limit)
	}
	return fmt.Sprintf("%s %s, used %d", l.Metric, limit, l.Used)
}

// printLimits prints one line for each metric, or for one metric only. With several workspaces, a line of text begins
// with the workspace.
func (o *operator) printLimits(ctx context.Context, workspace uuid.UUID, only usage.Metric, several bool) error {
	list, err := o.quota().Report(ctx, usage.Month(now()))
	if err != nil {
		return err
	}
	for _, u := range list {
		if only != "" && u.Metric != only {
			continue
		}
		line := toLimitLine(u)
		line.Workspace = &workspace
		text := line.String()
		if several {
			text = workspace.String() + " " + text
		}
		if err := o.print(line, text); err != nil {
			return err
		}
	}
	return nil
}
