package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// talkers is how many clients take turns at the same time, each in a thread of its own.
const talkers = 8

// besideTurns prints how long turns take while nothing is read, and while a book of 1,000 pages is.
func (i ingest) besideTurns(ctx context.Context) error {
	c, err := start(ctx, i.binary, i.dir)
	if err != nil {
		return err
	}
	defer c.stop()
	b := bench{client: c}
	if err := b.makeBase(ctx); err != nil {
		return err
	}
	alone, end := context.WithTimeout(ctx, 10*time.Second)
	defer end()
	if err := b.talk(ctx, alone, "turns alone"); err != nil {
		return err
	}
	if _, err := b.upload(ctx, "book.pdf", book(1000)); err != nil {
		return err
	}
	reading, end := context.WithCancel(ctx)
	defer end()
	failed := make(chan error, 1)
	go func() {
		defer end()
		_, _, err := b.indexedFrom(ctx)
		failed <- err
	}()
	if err := b.talk(ctx, reading, "turns while 1,000 pages are read"); err != nil {
		return err
	}
	return <-failed
}

// talk takes turns until a context ends, and prints how long they took.
func (b *bench) talk(ctx, until context.Context, name string) error {
	bot, err := b.post(ctx, "/v1/bots", map[string]any{"name": "Bench", "instruction": "Answer."})
	if err != nil {
		return err
	}
	var took []time.Duration
	var lock sync.Mutex
	var group sync.WaitGroup
	var first error
	began := time.Now()
	for range talkers {
		group.Go(func() {
			thread, err := b.post(ctx, "/v1/conversations/threads", map[string]any{"bot_id": bot["id"]})
			for err == nil && until.Err() == nil {
				sent := time.Now()
				_, err = b.post(ctx, fmt.Sprintf("/v1/conversations/threads/%s/turn", thread["id"]), map[string]any{"content": "Hello"})
				lock.Lock()
				took = append(took, time.Since(sent))
				lock.Unlock()
			}
			lock.Lock()
			defer lock.Unlock()
			first = cmp.Or(first, err)
		})
	}
	group.Wait()
	if first != nil {
		return first
	}
	slices.Sort(took)
	at := func(part float64) time.Duration { return took[int(float64(len(took)-1)*part)].Round(100 * time.Microsecond) }
	fmt.Printf("%s, at %d clients: %.0f/s, p50 %s, p95 %s, p99 %s\n", name, talkers, float64(len(took))/time.Since(began).Seconds(), at(0.5), at(0.95), at(0.99))
	return nil
}
