// Command riverbench works off a queue of riverqueue/river, like `river bench --num-total-jobs`: it inserts a number of
// empty jobs, and then runs a client with a number of workers. It prints how many jobs were inserted and worked off per
// second. make bench runs it beside our own queue. It is a module of its own, so that river is not a dependency of
// Parley.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "riverbench:", err)
		os.Exit(1)
	}
}

type nothing struct {
	N int `json:"n"`
}

func (nothing) Kind() string { return "nothing" }

type worker struct {
	river.WorkerDefaults[nothing]
}

func (worker) Work(context.Context, *river.Job[nothing]) error { return nil }

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("riverbench", flag.ContinueOnError)
	url := flags.String("url", "", "the database")
	total := flags.Int("jobs", 10000, "how many")
	workers := flags.Int("workers", 100, "how many at once")
	if err := flags.Parse(args); err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, *url)
	if err != nil {
		return err
	}
	defer pool.Close()
	driver := riverpgxv5.New(pool)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	known := river.NewWorkers()
	river.AddWorker(known, worker{})
	client, err := river.NewClient(driver, &river.Config{
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: *workers}}, Workers: known,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	began := time.Now()
	for left := *total; left > 0; left -= 1000 {
		batch := make([]river.InsertManyParams, min(left, 1000))
		for i := range batch {
			batch[i].Args = nothing{N: i}
		}
		if _, err := client.InsertManyFast(ctx, batch); err != nil {
			return err
		}
	}
	inserted := time.Since(began)
	began = time.Now()
	if err := client.Start(ctx); err != nil {
		return err
	}
	for left := 1; left > 0; time.Sleep(20 * time.Millisecond) {
		if err := pool.QueryRow(ctx, "SELECT count(*) FROM river_job WHERE state <> 'completed'").Scan(&left); err != nil {
			return err
		}
	}
	worked := time.Since(began)
	fmt.Fprintf(out, "%.0f %.0f\n", float64(*total)/inserted.Seconds(), float64(*total)/worked.Seconds())
	return errors.Join(client.Stop(ctx))
}
