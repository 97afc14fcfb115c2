package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/jobs"
)

// Jobs that do nothing are queued, and then worked off: our queue against riverqueue/river's, on the same server.
const (
	jobWorkers    = 100 // at once, on both sides
	jobWorkspaces = 8   // ours are shared by, as its fairness costs something
	jobBatch      = 100 // queued in one transaction
)

// jobSample is what one side did in a round, jobs a second.
type jobSample struct{ queued, worked float64 }

// playJobs measures both sides in turns and prints the medians.
func (m *match) playJobs(ctx context.Context, s settings, out, progress io.Writer) error {
	if s.jobs == 0 {
		return nil
	}
	fmt.Fprintf(progress, "working off %d jobs, and as many of river's\n", s.jobs)
	var ours, theirs []jobSample
	for round := range s.rounds {
		mine, err := m.ourJobs(ctx, s.jobs)
		if err != nil {
			return fmt.Errorf("our jobs: %w", err)
		}
		river, err := m.riverJobs(ctx, s.jobs, round)
		if err != nil {
			return fmt.Errorf("river's jobs: %w", err)
		}
		ours, theirs = append(ours, mine), append(theirs, river)
	}
	queued := func(of []jobSample) float64 { return medianOf(of, func(j jobSample) float64 { return j.queued }) }
	worked := func(of []jobSample) float64 { return medianOf(of, func(j jobSample) float64 { return j.worked }) }
	_, err := fmt.Fprintf(out, "\njobs: %d that do nothing, %d workers. Worked off a second: ours %.0f, river's %.0f, ratio %.2f.\n"+
		"Queued a second: ours %.0f, %d in a transaction; river's %.0f, 1000 in one by COPY.\n",
		s.jobs, jobWorkers, worked(ours), worked(theirs), worked(ours)/worked(theirs), queued(ours), jobBatch, queued(theirs))
	return err
}

func medianOf(samples []jobSample, of func(jobSample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	return median(values)
}

// ourJobs queues jobs in the program's own database, and has a Runner work them off.
func (m *match) ourJobs(ctx context.Context, total int) (s jobSample, err error) {
	db, err := postgres.Open(ctx, postgres.Options{URL: m.url, MaxConns: 20})
	if err != nil {
		return s, err
	}
	defer db.Close()
	registry := jobs.NewRegistry()
	if err := jobs.Register(registry, "nothing", jobs.KindOptions{}, func(context.Context, jobs.Job[int]) error { return nil }); err != nil {
		return s, err
	}
	if _, err := m.conn.Exec(ctx, "TRUNCATE job_queue"); err != nil {
		return s, err
	}
	began := time.Now()
	if err := m.queueJobs(ctx, db, jobs.NewQueue(db, registry), total); err != nil {
		return s, err
	}
	s.queued = float64(total) / time.Since(began).Seconds()

	runner := jobs.NewRunner(jobs.RunnerOptions{DB: db, Registry: registry, Log: slog.New(slog.DiscardHandler), Workers: jobWorkers, ListenURL: m.url})
	began = time.Now()
	runner.Start()
	err = drained(ctx, m.conn, "SELECT count(*) FROM job_queue WHERE status <> 'done'")
	s.worked = float64(total) / time.Since(began).Seconds()
	stopping, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	runner.Stop(stopping)
	return s, err
}

func (m *match) queueJobs(ctx context.Context, db *postgres.DB, queue *jobs.Queue, total int) error {
	workspaces := make([]uuid.UUID, jobWorkspaces)
	for i := range workspaces {
		workspaces[i] = uuid.New()
		if _, err := m.conn.Exec(ctx, "INSERT INTO workspaces VALUES ($1, 'bench', now())", workspaces[i]); err != nil {
			return err
		}
	}
	for done, turn := 0, 0; done < total; turn++ {
		n := min(jobBatch, total-done)
		err := db.Write(callctx.As(ctx, workspaces[turn%jobWorkspaces], uuid.New()), func(ctx context.Context) error {
			for i := range n {
				if err := queue.Enqueue(ctx, "nothing", i, jobs.Options{Key: uuid.NewString()}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		done += n
	}
	return nil
}

// riverJobs has riverbench do the same in a database of its own.
func (m *match) riverJobs(ctx context.Context, total, round int) (s jobSample, err error) {
	name := fmt.Sprintf("river_%d", round)
	if _, err := m.conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return s, err
	}
	cmd := exec.CommandContext(ctx, "go", "run", "-C", ".tools/riverbench", ".",
		"-url", m.server.URL(name), "-jobs", fmt.Sprint(total), "-workers", fmt.Sprint(jobWorkers))
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return s, fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	if err != nil {
		return s, err
	}
	_, err = fmt.Sscan(string(out), &s.queued, &s.worked)
	return s, err
}

// drained waits until a query counts nothing any more.
func drained(ctx context.Context, conn *pgx.Conn, count string) error {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		var left int
		if err := conn.QueryRow(ctx, count).Scan(&left); err != nil || left == 0 {
			return err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
