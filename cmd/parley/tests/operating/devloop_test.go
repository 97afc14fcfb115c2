package operating

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

// The loop of `make dev` gives the server what .env has, unless the environment says otherwise, and ends with the server's
// message and exit code where a setting is wrong.
func TestTheDevelopmentLoopReadsEnvAndEndsAtAWrongSetting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	loop, server, settings := filepath.Join(dir, "devloop"), filepath.Join(dir, "server"), filepath.Join(dir, "env")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", filepath.Join(harness.Root, ".tools"), "-buildvcs=false", "-o", loop, "./devloop")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	require.NoError(t, os.WriteFile(server, []byte("#!/bin/sh\necho \"parley: $ONE $OTHER $*\" >&2\nexit 2\n"), 0o700))
	require.NoError(t, os.WriteFile(settings, []byte("# of this machine\nONE='from the file'\nOTHER=from-the-file\n"), 0o600))
	cmd := exec.CommandContext(t.Context(), loop, "-bin", server, "-watch", dir, "-build", "true", "-env", settings, "--", "serve")
	cmd.Env = append(os.Environ(), "OTHER=of-the-environment")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	var code *exec.ExitError
	require.ErrorAs(t, cmd.Run(), &code)
	require.Equal(t, app.ExitUsage, code.ExitCode(), stderr.String())
	require.Contains(t, stderr.String(), "parley: from the file of-the-environment serve\n")
	require.Contains(t, stderr.String(), "correct what it says above")

	missing := exec.CommandContext(t.Context(), loop, "-bin", server, "-watch", dir, "-build", "true", "-env", settings+"-none", "--")
	require.ErrorAs(t, missing.Run(), &code)
	require.Equal(t, app.ExitUsage, code.ExitCode(), "a file that is not there is none")
}
