//go:build faults

package faults

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// A start that is killed while it migrates leaves the schema at one version or the next, and the next start goes on.
func TestFaultAMigrationThatIsKilledGoesOnAtTheNextStart(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	program, err := harness.BuiltProgram()
	require.NoError(t, err)
	migrate := func(args ...string) *exec.Cmd {
		cmd := exec.Command(program, append([]string{"migrate"}, args...)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "DATABASE_URL=" + c.url(), "DATA_DIR=" + t.TempDir(), "SECRET_KEY=" + harness.SecretKey}
		return cmd
	}
	status := func() string {
		out, err := migrate("status").CombinedOutput()
		require.NoError(t, err, string(out))
		require.NotContains(t, string(out), "repair")
		return string(out)
	}
	between := 0  // kills that found the schema on its way
	within := 400 // milliseconds to the latest kill: more where the program had not even begun, as on a busy machine
	for range 60 {
		up := migrate("up")
		require.NoError(t, up.Start())
		timer := time.AfterFunc(time.Duration(20+rand.IntN(within))*time.Millisecond, func() { _ = up.Process.Kill() })
		err := up.Wait()
		timer.Stop()
		s := status()
		if strings.Contains(s, "up to date") {
			break
		}
		require.Error(t, err, s)
		if !strings.HasPrefix(s, "version 0 of") {
			between++
		} else {
			within += 100
		}
	}
	require.Positive(t, between)
	s := newSite(t, c.url())
	s.launch()
	s.register()
	require.Contains(t, status(), "up to date")
}
