package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parley/parley/modules/auth/adapters/argon2id"
	"github.com/parley/parley/modules/auth/domain"
)

// authClients is how many clients call at once, if that is one of the numbers of clients.
const authClients = 8

func (s settings) authClients() int {
	if slices.Contains(s.clients, authClients) {
		return authClients
	}
	return s.clients[0]
}

// playAuth measures the calls of sessions, and the hashing of passwords by itself, which bounds how many log in.
func (m *match) playAuth(ctx context.Context, s settings, targets []target, out, progress io.Writer) error {
	if !s.auth {
		return nil
	}
	targets = targets[:s.authClients()]
	d := time.Duration(s.seconds) * time.Second
	fmt.Fprintf(progress, "opening %d sessions for each of %d users\n", sessionsEach, len(targets))
	refreshers, err := each(ctx, targets, func(ctx context.Context, _ int, t target) (caller, error) { return refresher(ctx, m.api, t) })
	if err != nil {
		return err
	}
	calls := []struct {
		name    string
		callers []caller
	}{
		{"GET /v1/auth/me", callersOf(targets, whoAmI)},
		{"POST /v1/auth/refresh", refreshers},
		{"POST /v1/auth/login", callersOf(targets, logIn)},
	}
	cells := make([]cell, len(calls))
	var hashes []float64
	for round := range s.rounds {
		fmt.Fprintf(progress, "who am I, refresh, log-in and hash, %d of %d\n", round+1, s.rounds)
		for i, call := range calls {
			sample, err := load(ctx, m.api.address, call.callers, d, m.meter)
			if err != nil {
				return fmt.Errorf("%s: %w", call.name, err)
			}
			cells[i].call, cells[i].ours = call.name, append(cells[i].ours, sample)
		}
		n, err := hashing(ctx, d)
		if err != nil {
			return fmt.Errorf("hash a password: %w", err)
		}
		hashes = append(hashes, n)
	}
	fmt.Fprintf(out, "\nauth at %d clients\n", len(targets))
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "call\treq/s\tp50 ms\tp99 ms\tus/req: parley\tpg\t")
	for _, c := range cells {
		all := total(c.ours)
		slices.Sort(all.latencies)
		fmt.Fprintf(t, "%s\t%.0f\t%.2f\t%.2f\t%s\t%s\t\n", c.call, median(rates(c.ours)), quantile(all.latencies, 0.50), quantile(all.latencies, 0.99),
			micros(all, all.used.program), micros(all, all.used.postgres))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	logins := rates(cells[len(cells)-1].ours)
	ratios := make([]float64, len(hashes))
	for i := range hashes {
		ratios[i] = logins[i] / hashes[i]
	}
	_, err = fmt.Fprintf(out, "log-in against the argon2id of its password alone, %d at once: %.1f a second, %.1f hashes, ratio %.2f\n",
		argon2id.Slots(), median(logins), median(hashes), median(ratios))
	return err
}

func callersOf(targets []target, of func(target) caller) []caller {
	callers := make([]caller, len(targets))
	for i, t := range targets {
		callers[i] = of(t)
	}
	return callers
}

func whoAmI(t target) caller {
	request := get(t.token, "/v1/auth/me")
	return func(c *connection) error { return c.do(request, nil) }
}

// logIn opens a session. The password is correct, so the log-in is not delayed.
func logIn(t target) caller {
	request := post("", "/v1/auth/login", credentials(t))
	return func(c *connection) error { return c.do(request, nil) }
}

// sessionsEach is how many sessions a client refreshes in turn: one that is refreshed hundreds of times a second remembers
// as many spent tokens, which no client has.
const sessionsEach = 32

// refresher opens sessions, and changes the refresh token of one after the other for the next, every time.
func refresher(ctx context.Context, a api, t target) (caller, error) {
	type grant struct {
		RefreshToken string `json:"refresh_token"`
	}
	sessions := make([]grant, sessionsEach)
	for i := range sessions {
		if err := a.post(ctx, "", "/v1/auth/login", credentials(t), &sessions[i]); err != nil {
			return nil, err
		}
	}
	var answer bytes.Buffer
	turn := 0
	return func(c *connection) error {
		turn++
		session := &sessions[turn%len(sessions)]
		answer.Reset()
		spent := session.RefreshToken
		if err := c.do(post("", "/v1/auth/refresh", `{"refresh_token":"`+spent+`"}`), &answer); err != nil {
			return err
		}
		if err := json.Unmarshal(answer.Bytes(), session); err != nil {
			return err
		}
		if session.RefreshToken == spent {
			return errors.New("the refresh token was not changed")
		}
		return nil
	}, nil
}

func credentials(t target) string { return `{"email":"` + t.email + `","password":"` + password + `"}` }

// hashing returns how many passwords per second the hash function of the program verifies here, with the concurrency of the program.
func hashing(ctx context.Context, d time.Duration) (perSecond float64, err error) {
	passwords, err := argon2id.New()
	if err != nil {
		return 0, err
	}
	secret, err := domain.NewPassword(password)
	if err != nil {
		return 0, err
	}
	hash, err := passwords.Hash(ctx, secret)
	if err != nil {
		return 0, err
	}
	var done atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			for time.Since(began) < d && ctx.Err() == nil {
				ok, err := passwords.Verify(ctx, password, hash)
				if err != nil {
					return err
				}
				if !ok {
					return errors.New("the password does not fit its own hash")
				}
				done.Add(1)
			}
			return nil
		})
	}
	err = group.Wait()
	return float64(done.Load()) / time.Since(began).Seconds(), err
}
