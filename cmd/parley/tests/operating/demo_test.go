package operating

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestTheDemoWalksTheRealProgramAsOftenAsOneLikes(t *testing.T) {
	t.Parallel()
	demo, err := harness.Build("demo", "../../../demo")
	require.NoError(t, err)
	url := harness.Start(t).URL
	for range 2 { // another address each time, so the second run meets no conflict
		out, err := exec.CommandContext(t.Context(), demo, "-url", url+"/").CombinedOutput()
		require.NoError(t, err, string(out))
		for _, part := range []string{
			"U1 ", "POST /v1/auth/register", "201 Created", "U3 ", "U5 ", "current_version: 2", "U10 ",
			"Echo: Where is my order?", "X-Operation-Replayed: true", "U6 ", "status: ready",
			"[1] is Orders are shipped within two days., characters 10 to 45 of the text", "All went well",
		} {
			require.Contains(t, string(out), part)
		}
	}
}
