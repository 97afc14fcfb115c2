package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGrowthIsOfTheSameCallAndOfOneRequest(t *testing.T) {
	t.Parallel()
	cells := func(perSecond, requests float64, postgres time.Duration) []cell {
		s := sample{perSecond: perSecond, requests: requests, used: usage{postgres: postgres, program: time.Second}}
		return []cell{{call: "turn", clients: 8, ours: []sample{s, s}}}
	}
	var out bytes.Buffer
	require.NoError(t, reportGrowth(&out, 1_000, "8 MB", nil, cells(1, 1, 1)))
	require.Empty(t, out.String(), "there is nothing to compare with")

	require.NoError(t, reportGrowth(&out, 1_000, "8 MB", cells(500, 1_000, time.Second), cells(400, 800, time.Second)))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Contains(t, lines[0], "1000 messages of it (8 MB ")
	require.Equal(t, strings.Fields("turn 8 500 400 0.80 0.00 0.00 1000 1250 1.25 1000 1250 1.25"), strings.Fields(lines[2]))
}

func TestAuthIsMeasuredAtEightClientsWhereThatIsANumberOfClients(t *testing.T) {
	t.Parallel()
	for clients, want := range map[string]int{"1,8,32": 8, "8": 8, "4,32": 4} {
		s, err := parse([]string{"-clients", clients, "-auth", "-fill", "10_000_000"}, io.Discard)
		require.NoError(t, err)
		require.Equal(t, want, s.authClients(), clients)
		require.Equal(t, 10_000_000, s.fill)
	}
	_, err := parse([]string{"-fill", "-1"}, io.Discard)
	require.ErrorContains(t, err, "-fill")
}

func TestTheMemoryOfAProcessIsInBytes(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("there is no /proc/self/status on this system")
	}
	require.Greater(t, resident(os.Getpid()), int64(1<<20))
	require.Zero(t, resident(-1))
	require.Positive(t, highest(t.Context(), os.Getpid(), time.Millisecond))
}
