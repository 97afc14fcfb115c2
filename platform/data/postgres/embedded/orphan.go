package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	pidFile    = "postmaster.pid"
	orphanTick = 10 * time.Millisecond
)

// endOrphans stops the server that an earlier parent may have left on this
// data folder, waits until its last process is gone and removes its lock
// file. The caller must hold the folder's lock: with it, and with no living
// server, the lock file is stale whatever process it names.
func endOrphans(ctx context.Context, data string, log *slog.Logger) error {
	tick := time.NewTicker(orphanTick)
	defer tick.Stop()
	signaled := map[int]bool{}
	for {
		living, err := livingServers(data)
		if err != nil {
			return fmt.Errorf("cannot look for an earlier postgres on %s: %w", data, err)
		}
		if len(living) == 0 {
			return removeFile(filepath.Join(data, pidFile))
		}
		if err := signalToEnd(living, leader(data), signaled, log); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("an earlier postgres on %s (processes %v) does not end: %w", data, living, ctx.Err())
		case <-tick.C:
		}
	}
}

// signalToEnd sends the leading process the signal for a fast shutdown, or each process if the leader is dead. Each
// process receives it once.
func signalToEnd(living []int, leader int, signaled map[int]bool, log *slog.Logger) error {
	if slices.Contains(living, -leader) {
		return fmt.Errorf("somebody works on the data in single-user mode (process %d): end that first", -leader)
	}
	targets, sig := living, syscall.SIGTERM
	if slices.Contains(living, leader) {
		targets, sig = []int{leader}, syscall.SIGINT
	}
	for _, pid := range targets {
		if signaled[pid] {
			continue
		}
		signaled[pid] = true
		log.Warn("ending a postgres that an earlier parley left", "pid", pid)
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("an earlier postgres (process %d) still uses the data folder and cannot be stopped: %w", pid, err)
		}
	}
	return nil
}

// leader is the process that postmaster.pid names: negative for a server in
// single-user mode, 0 where there is none.
func leader(data string) int {
	content, err := os.ReadFile(filepath.Join(data, pidFile))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return 0
	}
	return pid
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove a stale file of an earlier postgres: %w", err)
	}
	return nil
}
