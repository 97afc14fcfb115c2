package redisclient

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/testing/redistest"
	"github.com/parley/parley/platform/work/resilience"
)

const failures = 5

func newGroup(log *bytes.Buffer, openFor time.Duration) *resilience.Group {
	return resilience.NewGroup("redis", resilience.Policy{Timeout: Timeout, Failures: failures, OpenFor: openFor}, slog.New(slog.NewTextHandler(log, nil)))
}

// A Redis that accepts connections and never answers is not asked again after a few failures in a row.
func TestARedisThatHangsIsNotAskedForAWhile(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	var log bytes.Buffer
	group := newGroup(&log, time.Hour)
	client := New(&redis.Options{Addr: listener.Addr().String(), MaxRetries: -1, ContextTimeoutEnabled: true}, group)
	t.Cleanup(func() { _ = client.Close() })
	for range failures {
		err := client.Get(t.Context(), "key").Err()
		require.Error(t, err)
		_, refused := resilience.IsRefused(err)
		require.False(t, refused)
	}
	for range 1000 {
		_, refused := resilience.IsRefused(client.Get(t.Context(), "key").Err())
		require.True(t, refused)
	}
	require.EqualValues(t, failures, group.Counts().Failed.Load())
	require.EqualValues(t, 1000, group.Counts().Refused.Load())
	require.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
	require.Error(t, Ping(t.Context(), client, group))
}

func TestWhatARedisAnswersIsNoFailure(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	group := newGroup(&log, time.Hour)
	client := New(redistest.Client(t).Options(), group)
	t.Cleanup(func() { _ = client.Close() })
	for range 2 * failures {
		require.ErrorIs(t, client.Get(t.Context(), "parley:test:nothing").Err(), redis.Nil)
		require.Error(t, client.Do(t.Context(), "NOSUCHCOMMAND").Err())
	}
	require.NoError(t, Ping(t.Context(), client, group))
	require.Zero(t, group.Counts().Failed.Load())
	require.Empty(t, log.String())
}
