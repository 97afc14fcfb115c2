package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/urfave/cli/v3"

	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/jobs"
	"github.com/parley/parley/platform/work/outbound"
)

const jobPageSize = 100 // jobs or dead letters that are read together

// jobsCommand is parley jobs.
func jobsCommand(k operatorCommands) *cli.Command {
	job := func() cli.Flag { return &cli.StringFlag{Name: "job", Usage: "its id"} }
	named := func(c *cli.Command) error { return checkIDs(c, true, "workspace", "job") }
	return k.group("jobs", "list background jobs, run one now, cancel one",
		k.command("list", "list the jobs of every workspace, the newest of each first", listJobs, func(c *cli.Command) error {
			err := optionalWorkspace(c)
			if s := c.String("status"); s != "" && s != "queued" && s != "running" && s != "done" {
				err = errors.Join(err, errors.New("--status: should be queued, running or done"))
			}
			return err
		}, workspaceFlag(), &cli.StringFlag{Name: "status", Usage: "queued, running or done"}, &cli.StringFlag{Name: "kind", Usage: "such as webhook.deliver"}),
		k.command("retry", "run a queued job now", retryJob, named, workspaceFlag(), job()),
		k.command("cancel", "move a queued job to the dead letters, from which it can be retried", cancelJob, named, workspaceFlag(), job()),
	)
}

// deadLettersCommand is parley dead-letters.
func deadLettersCommand(k operatorCommands) *cli.Command {
	kind := func() cli.Flag { return &cli.StringFlag{Name: "kind", Usage: "such as webhook.deliver"} }
	return k.group("dead-letters", "list jobs that were given up, and retry them",
		k.command("list", "list the dead letters of every workspace, the newest of each first", listDeadLetters, optionalWorkspace, workspaceFlag(), kind()),
		k.command("retry", "queue their jobs again: one, or all of a workspace, or of all workspaces", retryDeadLetters, func(c *cli.Command) error {
			err := checkIDs(c, false, "workspace", "dead-letter")
			if c.String("dead-letter") != "" && c.String("workspace") == "" {
				err = errors.Join(err, errors.New("--workspace: should be given with --dead-letter"))
			}
			return err
		}, workspaceFlag(), kind(), &cli.StringFlag{Name: "dead-letter", Usage: "its id"}),
	)
}

// jobLine is a job as it is printed, without its payload.
type jobLine struct {
	Workspace   uuid.UUID  `json:"workspace_id"`
	ID          uuid.UUID  `json:"id"`
	Kind        string     `json:"kind"`
	Key         string     `json:"key"`
	Status      string     `json:"status"`
	Attempt     int        `json:"attempt"`
	Failures    int        `json:"failures"`
	MaxAttempts int        `json:"max_attempts"`
	LastError   string     `json:"last_error"`
	RunAt       time.Time  `json:"run_at"`
	CreatedAt   time.Time  `json:"created_at"`
	FinishedAt  *time.Time `json:"finished_at"`
}

func listJobs(ctx context.Context, c *cli.Command, o *operator) error {
	filter := jobs.Filter{Status: optionalText(c, "status"), Kind: optionalText(c, "kind")}
	queue := newQueue(o.db).jobs
	return o.eachWorkspace(ctx, c, func(ctx context.Context, workspace uuid.UUID) error {
		var before *uuid.UUID
		for {
			rows, err := queue.List(ctx, filter, before, jobPageSize)
			if err != nil {
				return err
			}
			for _, r := range rows {
				line := jobLine{
					Workspace: workspace, ID: r.ID, Kind: r.Kind, Key: r.Key, Status: r.Status, Attempt: r.Attempt, Failures: r.Failures,
					MaxAttempts: r.MaxAttempts, LastError: r.LastError, RunAt: r.RunAt.UTC(), CreatedAt: r.CreatedAt.UTC(), FinishedAt: inUTC(r.FinishedAt),
				}
				text := fmt.Sprintf("%s %s %s %s, attempt %d, %d of %d failures %s", workspace, r.ID, r.Kind, r.Status, r.Attempt, r.Failures, r.MaxAttempts, r.LastError)
				if err := o.print(line, text); err != nil {
					return err
				}
				before = &r.ID
			}
			if len(rows) < jobPageSize {
				return nil
			}
		}
	})
}

// optionalText is the value of a flag; nil where it was not given.
func optionalText(c *cli.Command, name string) *string {
	if value := c.String(name); value != "" {
		return &value
	}
	return nil
}

func retryJob(ctx context.Context, c *cli.Command, o *operator) error {
	return o.changeJob(ctx, c, "job.retry", "is to run now", newQueue(o.db).jobs.Hurry)
}

func cancelJob(ctx context.Context, c *cli.Command, o *operator) error {
	q := newQueue(o.db)
	if err := (&outbound.Deliverer{DB: o.db}).Register(q.kinds); err != nil { // a job that is given up publishes an event
		return err
	}
	inbox := newInbox(o.db, q.jobs, o.audit, usageLimits(o.cfg))
	onDeadLetter := announceDeadLetters(q.events, newCounters().dead, []deadLetterHook{giveUpAnswers(inbox), giveUpDocuments(o.db, q.events)})
	return o.changeJob(ctx, c, "job.cancel", "is a dead letter now", func(ctx context.Context, id uuid.UUID) (string, error) {
		dead, err := q.jobs.Cancel(ctx, id)
		if err != nil {
			return "", err
		}
		return dead.Kind, onDeadLetter(ctx, dead)
	})
}

// changeJob changes the job that --workspace and --job name, and records that in the audit log of its workspace.
func (o *operator) changeJob(ctx context.Context, c *cli.Command, action, done string, change func(context.Context, uuid.UUID) (kind string, err error)) error {
	workspace, id := uuid.MustParse(c.String("workspace")), uuid.MustParse(c.String("job"))
	var kind string
	err := o.db.Write(callctx.As(ctx, workspace, uuid.Nil), func(ctx context.Context) (err error) {
		if kind, err = change(ctx, id); err != nil {
			return err
		}
		return o.record(ctx, workspace, audit.Entry{Action: action, Resource: "job", ResourceID: id, Changes: map[string]any{"kind": kind}})
	})
	if err != nil {
		return err
	}
	return o.print(map[string]any{"workspace_id": workspace, "id": id, "kind": kind, "action": action}, fmt.Sprintf("%s %s %s", kind, id, done))
}

// deadLetterLine is a dead letter as it is printed, without its payload.
type deadLetterLine struct {
	Workspace uuid.UUID `json:"workspace_id"`
	ID        uuid.UUID `json:"id"`
	JobID     uuid.UUID `json:"job_id"`
	Kind      string    `json:"kind"`
	Key       string    `json:"key"`
	Attempts  int       `json:"attempts"`
	Failures  int       `json:"failures"`
	LastError string    `json:"last_error"`
	CreatedAt time.Time `json:"created_at"`
}

func listDeadLetters(ctx context.Context, c *cli.Command, o *operator) error {
	queue := newQueue(o.db).jobs
	return o.eachWorkspace(ctx, c, func(ctx context.Context, workspace uuid.UUID) error {
		var before *uuid.UUID
		for {
			rows, err := queue.DeadLetters(ctx, optionalText(c, "kind"), before, jobPageSize)
			if err != nil {
				return err
			}
			for _, r := range rows {
				line := deadLetterLine{
					Workspace: workspace, ID: r.ID, JobID: r.JobID, Kind: r.Kind, Key: r.Key, Attempts: r.Attempts, Failures: r.Failures,
					LastError: r.LastError, CreatedAt: r.CreatedAt.UTC(),
				}
				text := fmt.Sprintf("%s %s %s, given up %s after %d failures: %s", workspace, r.ID, r.Kind, r.CreatedAt.UTC().Format(time.RFC3339), r.Failures, r.LastError)
				if err := o.print(line, text); err != nil {
					return err
				}
				before = &r.ID
			}
			if len(rows) < jobPageSize {
				return nil
			}
		}
	})
}

// retriedLine is a dead letter that was queued again as a job, as it is printed and audited.
type retriedLine struct {
	Workspace    uuid.UUID `json:"workspace_id"`
	DeadLetterID uuid.UUID `json:"dead_letter_id"`
	JobID        uuid.UUID `json:"job_id"`
	Kind         string    `json:"kind"`
}

func retryDeadLetters(ctx context.Context, c *cli.Command, o *operator) error {
	queue := newQueue(o.db).jobs
	return o.eachWorkspace(ctx, c, func(ctx context.Context, workspace uuid.UUID) error {
		if c.String("dead-letter") != "" {
			_, err := o.retrySome(ctx, workspace, func(ctx context.Context) ([]jobs.Retried, error) {
				done, err := queue.Retry(ctx, uuid.MustParse(c.String("dead-letter")))
				return []jobs.Retried{done}, err
			})
			return err
		}
		for {
			n, err := o.retrySome(ctx, workspace, func(ctx context.Context) ([]jobs.Retried, error) {
				return queue.RetryMany(ctx, optionalText(c, "kind"), nil)
			})
			if err != nil || n < jobs.MaxRetried {
				return err
			}
		}
	})
}

// retrySome queues some dead letters of a workspace again in one transaction, records that in its audit log, and
// prints them.
func (o *operator) retrySome(ctx context.Context, workspace uuid.UUID, retry func(context.Context) ([]jobs.Retried, error)) (int, error) {
	var lines []retriedLine
	err := o.db.Write(ctx, func(ctx context.Context) error {
		done, err := retry(ctx)
		if err != nil || len(done) == 0 {
			return err
		}
		for _, r := range done {
			lines = append(lines, retriedLine{workspace, r.DeadLetterID, r.JobID, r.Kind})
		}
		return o.record(ctx, workspace, audit.Entry{
			Action: "dead_letter.retry_many", Resource: "workspace", ResourceID: workspace, Changes: map[string]any{"retried": lines},
		})
	})
	if err != nil {
		return 0, err
	}
	for _, line := range lines {
		if err := o.print(line, fmt.Sprintf("%s %s %s is the job %s again", workspace, line.DeadLetterID, line.Kind, line.JobID)); err != nil {
			return 0, err
		}
	}
	return len(lines), nil
}
