package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	listenSilence = 30 * time.Second // after which the server is asked for a sign of life
	listenConnect = 5 * time.Second
	reconnectCap  = 10 * time.Second
)

// Listen calls wake for each notification on a channel, until the context ends. It needs a direct connection, not a
// pooler's, and keeps it to itself. When it is lost it is made anew; as notifications may have been missed meanwhile,
// wake is also called after each (re)connection. Notifications are a hint: whoever needs to be sure looks by itself too.
func Listen(ctx context.Context, url, channel string, log *slog.Logger, wake func()) {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, reconnectCap) {
		began := time.Now()
		err := listen(ctx, url, channel, wake)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > reconnectCap { // it worked for a while: this is a new trouble
			wait = 50 * time.Millisecond
		}
		log.Warn("notifications are not heard; a new connection is made", "channel", channel, "error", oneLine{err})
		timer := time.NewTimer(wait/2 + rand.N(wait/2)) //nolint:gosec // jitter, no secret
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

func listen(ctx context.Context, url, channel string, wake func()) error {
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
	if _, err := conn.Exec(connecting, "SET ROLE parley_app; SET application_name = 'parley listener'; LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	for {
		wake()
		if err := waitFor(ctx, conn); err != nil {
			return err
		}
	}
}

// waitFor returns nil when a notification has come. A server that is silent is asked whether it is still there: a
// connection that has died quietly would be silent for ever.
func waitFor(ctx context.Context, conn *pgx.Conn) error {
	for {
		waiting, cancel := context.WithTimeout(ctx, listenSilence)
		_, err := conn.WaitForNotification(waiting)
		quiet := waiting.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil || !quiet {
			return err
		}
		asking, cancel := context.WithTimeout(ctx, listenConnect)
		err = conn.Ping(asking)
		cancel()
		if err != nil {
			return fmt.Errorf("no sign of life: %w", err)
		}
	}
}
