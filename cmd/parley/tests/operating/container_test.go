//go:build linux

package operating

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

// container is the image's files in a folder, run as a container engine would with --read-only: as process 1 of a
// namespace, by the image's user, with nothing writable but the volume and /tmp.
type container struct {
	image
	root, volume, address string
}

// enter shuts a process in and becomes the program: root, volume, user and command are its arguments.
const enter = `set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount --bind "$2" "$1$3"
mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
root=$1 user=$4
shift 4
exec setpriv --no-new-privs /usr/sbin/chroot --userspec="$user" "$root" "$@"`

func newContainer(t *testing.T) *container {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("container: only root makes namespaces and changes its root folder")
	}
	alone := exec.CommandContext(t.Context(), "sh", "-c", "mount --make-rprivate / && mount -t tmpfs tmpfs /mnt")
	alone.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	if out, err := alone.CombinedOutput(); err != nil {
		t.Skipf("container: this machine lets nobody make namespaces: %v: %s", err, out)
	}
	dir, err := os.MkdirTemp("", "parley-container-") //nolint:usetesting // the image's user cannot pass through t.TempDir
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	c := &container{image: readImage(t), root: filepath.Join(dir, "root"), volume: filepath.Join(dir, "volume"), address: harness.FreeAddress(t)}
	c.assemble(t, c.root)
	require.NoError(t, os.Mkdir(c.volume, 0o700))
	uid, gid, _ := strings.Cut(c.user, ":")
	require.NoError(t, os.Chown(c.volume, number(t, uid), number(t, gid)))
	return c
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// run starts it; the child is process 1.
func (c *container) run(t *testing.T) *harness.Child {
	t.Helper()
	args := append([]string{"-c", enter, "enter", c.root, c.volume, c.image.volume, c.user}, append(c.entrypoint, c.command...)...)
	cmd := exec.Command("/bin/sh", args...)
	cmd.Env = c.environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	t.Cleanup(func() { // of a process 1 that has not listened to its signal
		if cmd.Process != nil {
			_ = cmd.Process.Kill()
		}
	})
	return harness.SpawnCommand(t, cmd).Serving(t)
}

// environ is that of the image, at an address of our own.
func (c *container) environ() []string { return append(c.env, "HTTP_ADDR="+c.address) }

// healthy tells what the image's health check says.
func (c *container) healthy(t *testing.T) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "chroot", append([]string{"--userspec=" + c.user, c.root}, c.health...)...)
	cmd.Env = c.environ()
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	require.NoError(t, err, string(out))
	return 0
}

func TestTheImageRunsReadOnlyByAnotherUserAsProcessOne(t *testing.T) {
	t.Parallel()
	c := newContainer(t)
	require.Contains(t, c.env, "HTTP_ADDR=0.0.0.0:8080", "nobody outside would reach it")
	require.NotEqual(t, app.ExitOK, c.healthy(t), "it is healthy before it runs")

	c.requireDocuments(t)

	first := c.run(t)
	ada := first.Register(t)
	require.Equal(t, app.ExitOK, c.healthy(t))
	requireReaped(t, first.Cmd.Process.Pid)
	require.Equal(t, app.ExitOK, first.End(t, syscall.SIGTERM), first.Log)
	require.Equal(t, 1, c.cleanStops(t), "postgres was not stopped in good order")

	second := c.run(t)
	ada.Program = second.Program
	ada.RequireAlive(t, "the token of before a stop is not known any more")
	program := onlyChild(t, second.Cmd.Process.Pid)
	require.NoError(t, syscall.Kill(program, syscall.SIGKILL))
	require.Equal(t, 128+int(syscall.SIGKILL), second.Wait(t), "the exit code of the program is lost")
	require.Equal(t, 2, c.cleanStops(t), "postgres was left to die")

	third := c.run(t)
	require.Equal(t, -1, third.End(t, syscall.SIGKILL), "as when the machine goes")
	fourth := c.run(t)
	ada.Program = fourth.Program
	ada.RequireAlive(t, "it does not come back from a power cut")
	require.Equal(t, app.ExitOK, fourth.End(t, syscall.SIGINT), fourth.Log)
}

// requireDocuments asserts that whoever has the image can read what is in it and under which licenses.
func (c *container) requireDocuments(t *testing.T) {
	t.Helper()
	for path, want := range map[string]string{
		"usr/share/doc/parley/LICENSE":                  "Apache License",
		"usr/share/doc/parley/third-party-licenses.txt": "github.com/jackc/pgx/v5 v",
		"usr/share/doc/parley/sbom.cdx.json":            "pkg:golang/github.com/jackc/pgx/v5@v",
		"usr/share/doc/postgresql-15/copyright":         "PostgreSQL",
		"var/lib/dpkg/status.d/postgresql-15":           "\nVersion: 15.",
	} {
		text, err := os.ReadFile(filepath.Join(c.root, path))
		require.NoError(t, err)
		require.True(t, bytes.Contains(text, []byte(want)), "%s does not say %q", path, want)
		info, err := os.Stat(filepath.Join(c.root, path))
		require.NoError(t, err)
		require.NotZero(t, info.Mode()&0o004, "%s cannot be read by the image's user", path)
	}
}

// cleanStops counts the times that the database ended after its last checkpoint.
func (c *container) cleanStops(t *testing.T) int {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(c.volume, "postgres", "postgres.log"))
	require.NoError(t, err)
	return strings.Count(string(log), "database system is shut down")
}

// requireReaped makes an orphan in the namespace of process 1, which is given it, and sees it go without a trace.
func requireReaped(t *testing.T, one int) {
	t.Helper()
	in := []string{"--target", strconv.Itoa(one), "--pid", "sh", "-c"}
	out, err := exec.CommandContext(t.Context(), "nsenter", append(in, "sleep 600 >/dev/null 2>&1 & readlink /proc/self >/dev/null; echo $!")...).CombinedOutput()
	require.NoError(t, err, string(out))
	orphan := 0
	for _, p := range children(t, one) {
		if p.name == "sleep" {
			orphan = p.pid
		}
	}
	require.NotZero(t, orphan, "process 1 was not given the orphan: %s", out)
	require.NoError(t, syscall.Kill(orphan, syscall.SIGKILL))
	require.Eventually(t, func() bool {
		_, err := os.Stat("/proc/" + strconv.Itoa(orphan))
		return errors.Is(err, os.ErrNotExist)
	}, harness.Timeout, harness.Tick, "the orphan's remains stay")
}

type process struct {
	pid  int
	name string
}

var statusField = regexp.MustCompile(`(?m)^(Name|PPid):\s+(\S+)$`)

// children lists the children of a process, the dead ones too.
func children(t *testing.T, parent int) (list []process) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/status")
	require.NoError(t, err)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended since
		}
		fields := map[string]string{}
		for _, match := range statusField.FindAllSubmatch(raw, -1) {
			fields[string(match[1])] = string(match[2])
		}
		if fields["PPid"] == strconv.Itoa(parent) {
			list = append(list, process{pid: number(t, filepath.Base(filepath.Dir(file))), name: fields["Name"]})
		}
	}
	return list
}

func onlyChild(t *testing.T, parent int) int {
	t.Helper()
	list := children(t, parent)
	require.Len(t, list, 1)
	return list[0].pid
}
