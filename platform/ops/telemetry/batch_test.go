package telemetry_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/ops/telemetry"
)

// writes counts how often it is written to.
type writes struct {
	bytes.Buffer
	n int
}

func (w *writes) Write(p []byte) (int, error) {
	w.n++
	return w.Buffer.Write(p)
}

func TestLinesThatComeCloseTogetherAreWrittenTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var to writes
		b := telemetry.NewBatch(&to)
		for i := range 100 {
			fmt.Fprintf(b, "line %d\n", i)
		}
		require.Equal(t, "line 0\n", to.String(), "the first goes out at once")
		<-time.After(time.Second) // of the bubble's clock
		require.Equal(t, 100, strings.Count(to.String(), "\n"))
		require.Equal(t, 2, to.n)
		fmt.Fprintln(b, "after a silence")
		require.Equal(t, 3, to.n)
		require.True(t, strings.HasSuffix(to.String(), "line 99\nafter a silence\n"), "in their order")
		fmt.Fprintln(b, "held")
		require.NoError(t, b.Flush())
		require.True(t, strings.HasSuffix(to.String(), "held\n"))
	})
}

func TestABatchHoldsNoMoreThanItsBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var to writes
		b := telemetry.NewBatch(&to)
		line := strings.Repeat("x", 1000)
		for range 200 {
			fmt.Fprintln(b, line)
		}
		require.GreaterOrEqual(t, to.Len(), 200*1001-64<<10)
		require.Zero(t, to.Len()%1001, "of lines it writes whole ones")
		require.NoError(t, b.Flush())
		require.Equal(t, 200*1001, to.Len())
		huge := strings.Repeat("y", 1<<20)
		fmt.Fprintln(b, huge)
		require.NoError(t, b.Flush())
		require.Equal(t, 200*1001+1<<20+1, to.Len())
	})
}

func TestWhatDidNotFitIsNotHeldForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var to writes
		b := telemetry.NewBatch(&to)
		for round := 1; round <= 3; round++ {
			for range 300 {
				fmt.Fprintln(b, strings.Repeat("x", 299))
			}
			<-time.After(time.Second)
			require.Equal(t, round*300*300, to.Len())
		}
		fmt.Fprintln(b, "after a silence")
		require.True(t, strings.HasSuffix(to.String(), "after a silence\n"))
	})
}

func TestABatchTellsThatItCannotBeWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := telemetry.NewBatch(full{})
		_, err := b.Write([]byte("first"))
		require.ErrorIs(t, err, errFull)
		_, err = b.Write([]byte("second"))
		require.NoError(t, err)
		require.ErrorIs(t, b.Flush(), errFull)
	})
}

var errFull = errors.New("no space left on device")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestManyMayWriteIntoABatch(t *testing.T) {
	t.Parallel()
	var to writes
	b := telemetry.NewBatch(&to)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				fmt.Fprintln(b, "a line of its own")
			}
		})
	}
	all.Wait()
	require.NoError(t, b.Flush())
	require.Equal(t, strings.Repeat("a line of its own\n", 8000), to.String())
}

func TestNoWarningIsHeldBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var to writes
		log := telemetry.NewLogger(telemetry.NewBatch(&to), "text", slog.LevelInfo).With("part", "x")
		log.InfoContext(t.Context(), "one")
		log.InfoContext(t.Context(), "two")
		require.NotContains(t, to.String(), "two")
		log.WarnContext(t.Context(), "three", "took", 1500*time.Microsecond)
		require.Contains(t, to.String(), "msg=two")
		require.Contains(t, to.String(), "msg=three part=x took=1.5ms")
	})
}
