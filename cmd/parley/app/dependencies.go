package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/parley/parley/platform/data/dedupe"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/data/redisclient"
	"github.com/parley/parley/platform/request/gateway"
	"github.com/parley/parley/platform/request/ratelimit"
	"github.com/parley/parley/platform/work/background"
)

// service is something that stores our data, inside this process or outside.
type service interface {
	// Prepare creates what is missing. It may be called again, and by many processes at once.
	Prepare(ctx context.Context) error
	// Check writes test data, reads it, and removes it.
	Check(ctx context.Context) error
}

// dependency is a service that this program needs as it is configured.
type dependency struct {
	name string
	service
	ping     func(ctx context.Context) error // a cheap check, for /readyz; nil: the check of another dependency covers it
	optional bool                            // the program is ready without it, unless READINESS_STRICT is true
}

// checks returns the checks of /readyz: those of dependencies that have a cheap one. All are required if strict is set.
func checks(list []dependency, strict bool) (checks []gateway.Check) {
	for _, d := range list {
		if d.ping != nil {
			checks = append(checks, gateway.Check{Name: d.name, Optional: d.optional && !strict, Probe: d.ping})
		}
	}
	return checks
}

// firstTimeout is how long the start waits for the first attempt to prepare the optional dependencies. A dependency
// that is available is prepared by then, before the first requests; one that hangs does not delay the start further.
const firstTimeout = 3 * time.Second

// preparations returns the tasks that prepare the optional dependencies, each of which is repeated until it has
// succeeded, and a function that waits up to firstTimeout for the first attempts.
func preparations(list []dependency) (tasks []background.Task, wait func()) {
	var first sync.WaitGroup
	for _, d := range list {
		if !d.optional {
			continue
		}
		first.Add(1)
		tried, done := sync.OnceFunc(first.Done), false
		tasks = append(tasks, background.Task{Name: "prepare " + d.name, Every: time.Minute, Timeout: prepareTimeout, Do: func(ctx context.Context) error {
			defer tried()
			if done {
				return nil
			}
			err := d.Prepare(ctx)
			done = err == nil
			return err
		}})
	}
	return tasks, func() {
		all := make(chan struct{})
		go func() {
			first.Wait()
			close(all)
		}()
		select {
		case <-all:
		case <-time.After(firstTimeout):
		}
	}
}

// schema is the database with our tables.
type schema struct {
	migrator *postgres.Migrator
	db       *postgres.DB
}

// Prepare makes the database, the roles and the tables.
func (s schema) Prepare(ctx context.Context) error {
	if err := s.migrator.EnsureDatabase(ctx); err != nil {
		return err
	}
	return s.migrator.Up(ctx)
}

// compare returns an error where the schema differs from what the migrations create.
func (s schema) compare(ctx context.Context) error {
	if err := s.migrator.Drift(ctx); err != nil {
		return err
	}
	different, err := s.migrator.Differences(ctx)
	if err != nil || len(different) == 0 {
		return err
	}
	return fmt.Errorf("the schema differs from that of the migrations in %d lines, which parley migrate repair lists; the first: %s", len(different), different[0])
}

// Check requires that the schema is up to date and as the migrations create it, then writes and reads.
func (s schema) Check(ctx context.Context) error {
	at, newest, dirty, err := s.migrator.Status(ctx)
	switch {
	case err != nil:
		return err
	case dirty:
		return fmt.Errorf("an earlier release was killed while it migrated to version %d: run parley migrate repair", at)
	case at < newest:
		return fmt.Errorf("the schema is at version %d of %d: run parley init", at, newest)
	case at == newest:
		if err := s.compare(ctx); err != nil {
			return err
		}
	}
	return s.db.Check(ctx)
}

// redisService is the Redis that shares limits, marks and stored responses between processes.
type redisService struct{ client *redis.Client }

// Prepare does nothing: Redis needs no schema.
func (redisService) Prepare(context.Context) error { return nil }

// Check sets a key, gets it and deletes it.
func (r redisService) Check(ctx context.Context) error {
	ctx = redisclient.Unguarded(ctx)
	key, value := "parley:check:"+uuid.NewString(), uuid.NewString()
	if err := r.client.Set(ctx, key, value, time.Minute).Err(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	got, err := r.client.Get(ctx, key).Result()
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if got != value {
		return errors.New("what was written is not what is read")
	}
	if err := r.client.Del(ctx, key).Err(); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return nil
}

// memoryService replaces Redis: it has the limits and marks of this process only.
type memoryService struct {
	limiter ratelimit.Limiter
	marks   dedupe.Marks
}

// Prepare does nothing.
func (memoryService) Prepare(context.Context) error { return nil }

// Check counts a call and keeps a mark.
func (m memoryService) Check(ctx context.Context) error {
	key := "check:" + uuid.NewString()
	if !m.limiter.Allow(ctx, key, ratelimit.Limit{Max: 1, Window: time.Second}).Allowed {
		return errors.New("the first call of a caller is not allowed")
	}
	m.marks.Put(ctx, key, key)
	if got, found := m.marks.Find(ctx, key); !found || got != key {
		return errors.New("what was marked is not found")
	}
	return nil
}
