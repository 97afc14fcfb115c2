package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	listenSilence = 30 * time.Second // after which the server is asked for a sign of life
	listenConnect = 5 * time.Second
	reconnectCap  = 10 * time.Second
)

// Channel is a notification channel. OnNotify receives the payload of each notification; it must not block.
type Channel struct {
	Name     string
	OnNotify func(payload string)
}

// Listen receives notifications until the context ends. It needs a direct connection, not a pooler's, and holds it
// exclusively; one connection serves all channels. A lost connection is opened again. As notifications may have been
// missed meanwhile, each channel also receives "" after each (re)connection. Notifications are a hint: a caller that
// must not miss anything also polls.
func Listen(ctx context.Context, url string, log *slog.Logger, channels ...Channel) {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, reconnectCap) {
		began := time.Now()
		err := listen(ctx, url, channels)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > reconnectCap { // it worked for a while: this is a new trouble
			wait = 50 * time.Millisecond
		}
		log.Warn("listening for notifications failed; a new connection is made", "error", oneLine{err})
		timer := time.NewTimer(wait/2 + rand.N(wait/2)) //nolint:gosec // jitter, no secret
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

func listen(ctx context.Context, url string, channels []Channel) error {
	connecting, cancel := context.WithTimeout(ctx, listenConnect)
	defer cancel()
	conn, err := pgx.Connect(connecting, url)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing) // it is given up anyway
	}()
	statements := []string{"SET ROLE parley_app", "SET application_name = 'parley listener'"}
	for _, c := range channels {
		statements = append(statements, "LISTEN "+pgx.Identifier{c.Name}.Sanitize())
	}
	if _, err := conn.Exec(connecting, strings.Join(statements, "; ")); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	for _, c := range channels {
		c.OnNotify("")
	}
	for {
		n, err := waitFor(ctx, conn)
		if err != nil {
			return err
		}
		for _, c := range channels {
			if c.Name == n.Channel {
				c.OnNotify(n.Payload)
			}
		}
	}
}

// waitFor returns the next notification. If the server sends nothing, waitFor checks that it is still reachable: a
// connection that was lost without notice would stay silent forever.
func waitFor(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	for {
		waiting, cancel := context.WithTimeout(ctx, listenSilence)
		n, err := conn.WaitForNotification(waiting)
		quiet := waiting.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil || !quiet {
			return n, err
		}
		asking, cancel := context.WithTimeout(ctx, listenConnect)
		err = conn.Ping(asking)
		cancel()
		if err != nil {
			return nil, fmt.Errorf("no sign of life: %w", err)
		}
	}
}
