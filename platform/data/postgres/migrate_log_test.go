package postgres_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/postgres"
)

// The log has the duration of each migration by itself: together they take no longer than all of it.
func TestTheLogOfAMigrationHasItsOwnDuration(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	m := postgres.NewMigrator(pg.EmptyURL(t), slog.New(slog.NewJSONHandler(&log, nil)))
	began := time.Now()
	require.NoError(t, m.Up(t.Context()))
	all := time.Since(began)
	newest, err := postgres.Newest()
	require.NoError(t, err)
	var sum time.Duration
	steps := uint(0)
	for lines := bufio.NewScanner(&log); lines.Scan(); {
		var line struct {
			Msg, Step string
			Took      time.Duration
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
		if line.Msg == "migration" {
			require.Regexp(t, `^\d+/u \w+$`, line.Step)
			require.Positive(t, line.Took)
			steps++
			sum += line.Took
		}
	}
	require.Equal(t, newest, steps)
	require.LessOrEqual(t, sum, all)
}
