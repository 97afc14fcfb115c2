package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// api sets up what is measured, through the public HTTP API of the program.
type api struct{ address string }

func (a api) post(ctx context.Context, token, path, body string, into any) error {
	answer, err := fetch(ctx, a.address, post(token, path, body))
	if err != nil {
		return fmt.Errorf("POST %s: %w", path, err)
	}
	return json.Unmarshal(answer, into)
}

const password = "correct horse battery"

// settle registers a user with a bot, a thread that is longer than a page, and an empty one.
func settle(ctx context.Context, a api, number int) (target, error) {
	var tokens struct {
		AccessToken string `json:"access_token"`
		UserID      string `json:"user_id"`
		WorkspaceID string `json:"workspace_id"`
	}
	email := fmt.Sprintf("bench-%d-%s@example.com", number, uuid.NewString())
	err := a.post(ctx, "", "/v1/auth/register", `{"email":"`+email+`","password":"`+password+`","workspace_name":"Bench"}`, &tokens)
	if err != nil {
		return target{}, err
	}
	t := target{token: tokens.AccessToken, workspace: tokens.WorkspaceID, user: tokens.UserID, email: email}
	if t.session, err = sessionOf(t.token); err != nil {
		return t, err
	}
	var bot struct{ ID string }
	err = a.post(ctx, t.token, "/v1/bots", `{"name":"Bench","instruction":"Answer in one sentence.","settings":{"temperature":0.2}}`, &bot)
	if err != nil {
		return t, err
	}
	t.bot = bot.ID
	if t, err = a.newThread(ctx, t); err != nil {
		return t, err
	}
	t.pages = t.thread
	turn := hotCalls()[0]
	for range pageSize/2 + 5 {
		if err := once(ctx, a.address, turn.request(t)); err != nil {
			return t, fmt.Errorf("fill a thread: %w", err)
		}
	}
	return a.newThread(ctx, t)
}

// newThread returns the target with a new empty thread.
func (a api) newThread(ctx context.Context, t target) (target, error) {
	var thread struct{ ID string }
	err := a.post(ctx, t.token, "/v1/conversations/threads", `{"bot_id":"`+t.bot+`"}`, &thread)
	t.thread = thread.ID
	return t, err
}

// settlers is how many targets are made at a time.
const settlers = 4

// settleAll makes the targets of n clients.
func settleAll(ctx context.Context, a api, n int) ([]target, error) {
	return each(ctx, make([]target, n), func(ctx context.Context, i int, _ target) (target, error) {
		return settle(ctx, a, i+1)
	})
}

// newThreads returns the targets, each with a new empty thread.
func newThreads(ctx context.Context, a api, targets []target) ([]target, error) {
	return each(ctx, targets, func(ctx context.Context, _ int, t target) (target, error) { return a.newThread(ctx, t) })
}

func each[T any](ctx context.Context, in []target, do func(context.Context, int, target) (T, error)) ([]T, error) {
	out := make([]T, len(in))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(settlers)
	for i, t := range in {
		group.Go(func() (err error) {
			out[i], err = do(ctx, i, t)
			return err
		})
	}
	return out, group.Wait()
}

// sessionOf reads the session from an access token.
func sessionOf(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("the access token is no JWT")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", fmt.Errorf("read the access token: %w", err)
	}
	var claims struct{ Sid string }
	err = json.Unmarshal(payload, &claims)
	return claims.Sid, err
}
