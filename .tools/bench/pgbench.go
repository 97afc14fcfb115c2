package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pgbench runs a script on as many clients as there are targets in the table, and measures whole seconds after a first
// one in which connections and plans are made.
func pgbench(ctx context.Context, e *environment, s script, options string, run, clients, seconds int, m meter) (sample, error) {
	file := filepath.Join(e.dir, "script.sql")
	if err := os.WriteFile(file, []byte(s.text), 0o600); err != nil {
		return sample{}, err
	}
	args := []string{
		"-n", "-M", "prepared", "-f", file, "-c", strconv.Itoa(clients), "-j", strconv.Itoa(min(clients, 2)), "-P", "1",
		"-T", strconv.Itoa(seconds + 5), // it is stopped before
		"-D", "run=" + strconv.Itoa(run), "-D", firstTick + "=" + strconv.FormatInt(time.Now().UnixMicro(), 10),
	}
	for name, value := range s.variables {
		args = append(args, "-D", name+"="+value)
	}
	cmd := exec.CommandContext(ctx, e.pgbench, args...)
	cmd.Env = []string{
		"LC_ALL=C", "PGHOST=" + e.socketDir, "PGPORT=5432", "PGUSER=postgres", "PGDATABASE=" + database, "PGOPTIONS=" + options,
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us; we stop it
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return sample{}, err
	}
	if err := cmd.Start(); err != nil {
		return sample{}, fmt.Errorf("start pgbench: %w", err)
	}
	result, err := watch(bufio.NewScanner(stderr), seconds, func() usage { return m.read(cmd.Process.Pid) })
	stopped := cmd.Process.Signal(syscall.SIGTERM)
	if waited := cmd.Wait(); err == nil && stopped != nil {
		err = errors.Join(stopped, waited)
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return result, err
}

// watch reads pgbench's progress, a line a second, until enough seconds are over.
func watch(lines *bufio.Scanner, seconds int, read func() usage) (sample, error) {
	var (
		rates  []float64
		before usage
		said   []string
	)
	for lines.Scan() {
		line := lines.Text()
		var at, rate float64
		if _, err := fmt.Sscanf(line, "progress: %f s, %f tps", &at, &rate); err != nil {
			said = append(said, line)
			if strings.Contains(line, "error") || strings.Contains(line, "aborted") {
				break
			}
			continue
		}
		if before == (usage{}) {
			before = read()
			continue
		}
		if rates = append(rates, rate); len(rates) == seconds {
			s := sample{used: read().minus(before)}
			for r := range slices.Values(rates) {
				s.requests += r
			}
			s.perSecond = s.requests / float64(seconds)
			return s, nil
		}
	}
	return sample{}, fmt.Errorf("pgbench gave up:\n%s", strings.Join(said, "\n"))
}
