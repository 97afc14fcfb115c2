package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// ensureData makes the data folder where it is missing. initdb works in
// data.tmp, which becomes data only when it is whole, so that a crash leaves
// nothing half.
func ensureData(ctx context.Context, bin binaries, data string, who account, o Options) error {
	if _, err := os.Stat(filepath.Join(data, "PG_VERSION")); err == nil {
		return giveTo(data, who)
	}
	entries, err := os.ReadDir(data)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot look into the data folder: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("the folder %s is not empty and not PostgreSQL's (it has no PG_VERSION): empty it or choose another DATA_DIR", data)
	}
	if err := lostData(data); err != nil {
		return err
	}
	o.Log.Info("making the database folder", "folder", data, "postgres", bin.major)
	temporary := data + ".tmp"
	if err := os.RemoveAll(temporary); err != nil {
		return fmt.Errorf("cannot remove what an earlier initdb left: %w", err)
	}
	if err := makePrivate(temporary, who); err != nil {
		return err
	}
	if err := runInitdb(ctx, bin, temporary, who, o.Unsafe); err != nil {
		return errors.Join(err, os.RemoveAll(temporary))
	}
	if err := os.Rename(temporary, data); err != nil {
		return fmt.Errorf("cannot put the new data folder in its place: %w", err)
	}
	return syncFolder(filepath.Dir(data))
}

func runInitdb(ctx context.Context, bin binaries, data string, who account, unsafe bool) error {
	arguments := []string{
		"-D", data,
		"--username=" + superuser,
		// The private socket folder keeps strangers out; should somebody make
		// the server listen on TCP, nobody gets in that way.
		"--auth-local=trust", "--auth-host=reject",
		"--encoding=UTF8",
		// Order is by bytes, the same on every machine and after every upgrade
		// of the C library; letters beyond ASCII still have upper and lower case.
		"--locale=C", "--lc-ctype=" + letterLocale(),
		"--text-search-config=simple",
		"--data-checksums",
		"--no-instructions",
	}
	if unsafe {
		arguments = append(arguments, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin.dir, "initdb"), arguments...)
	cmd.Dir = data
	cmd.Env = childEnvironment()
	cmd.SysProcAttr = who.attributes(syscall.SIGKILL)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second

	runtime.LockOSThread() // the death signal is bound to the thread
	defer runtime.UnlockOSThread()
	output, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return fmt.Errorf("initdb was stopped: %w", ctx.Err())
	}
	if err != nil && bytes.Contains(output, []byte("could not look up effective user ID")) {
		return fmt.Errorf("PostgreSQL wants its user to be known to the system, and the user id %d has no entry in /etc/passwd: run as a user "+
			"that has one (of the image: 10001), add one, or name a database of your own in DATABASE_URL", who.uid)
	}
	if err != nil {
		return fmt.Errorf("initdb failed: %w%s", err, lastLines(output))
	}
	return nil
}

// letterLocale is a UTF-8 locale that the system always has.
func letterLocale() string {
	if runtime.GOOS == "linux" {
		return "C.UTF-8"
	}
	return "en_US.UTF-8"
}

func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("cannot sync the folder: %w", err)
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil {
		return fmt.Errorf("cannot sync the folder: %w", err)
	}
	return nil
}
