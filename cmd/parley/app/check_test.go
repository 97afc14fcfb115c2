package app_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestNoCheckKeepsTheOthersWaiting(t *testing.T) {
	t.Parallel()
	for name, work := range map[string]func(context.Context) error{
		"one that heeds nothing":     func(context.Context) error { <-t.Context().Done(); return nil },
		"one that heeds its context": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		require.EqualError(t, <-app.InTime(t.Context(), 20*time.Millisecond, work), "no answer within 20ms", name)
	}
	require.NoError(t, <-app.InTime(t.Context(), time.Minute, func(context.Context) error { return nil }))
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0") // accepts, by its backlog, and says nothing
	require.NoError(t, err)
	defer silent.Close()
	code, stdout, _ := harness.Tool(t, []string{"DATABASE_URL=" + harness.Postgres.URL(t), "REDIS_URL=redis://" + silent.Addr().String()}, "check")
	require.Equal(t, app.ExitFailed, code)
	require.Regexp(t, `^\[OK\] postgres\n\[FAIL\] redis: .+\n\[OK\] files\n\[OK\] vectors\n\[OK\] secret key\n$`, stdout)
}
