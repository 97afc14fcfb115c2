package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// program is the real program, running.
type program struct {
	address string
	metrics string // where its metrics and profiles are
	cmd     *exec.Cmd
	ended   chan error
}

// build builds the program as make build does.
func build(ctx context.Context, into string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", into, "./cmd/parley")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the program (bench runs in the project's folder): %w\n%s", err, output)
	}
	return nil
}

// startTimeout is how long the program may take until it serves.
const startTimeout = 30 * time.Second

// startProgram starts it on a database, logging everything into a file, and waits until it serves.
func startProgram(ctx context.Context, e *environment, databaseURL string) (*program, error) {
	log, err := os.Create(filepath.Join(e.dir, "parley.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p, err := execute(e.binary, log, []string{
		"DATABASE_URL=" + databaseURL, "HTTP_ADDR=127.0.0.1:0", "METRICS_ADDR=127.0.0.1:0", "DATA_DIR=" + filepath.Join(e.dir, "data"),
		"LOG_LEVEL=info", "LOG_FORMAT=json", "ACCESS_TTL=24h",
		"WORKERS=0", "RATE_LIMIT_MAX=1000000000", "AUTH_RATE_LIMIT_MAX=100000", // on, but in nobody's way
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		text, err := os.ReadFile(log.Name())
		if err != nil {
			return nil, errors.Join(err, p.stop())
		}
		if p.address = addressIn(text, "serving"); p.address != "" {
			p.metrics = strings.TrimSuffix(addressIn(text, "metrics"), "/metrics")
			return p, nil
		}
		select {
		case <-look.C:
		case err := <-p.ended:
			return nil, fmt.Errorf("the program does not serve: %w\n%s", err, text)
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("the program does not serve: %w\n%s", ctx.Err(), text), p.stop())
		}
	}
}

// execute starts the program in an environment of its own.
func execute(binary string, log *os.File, env []string) (*program, error) {
	p := &program{cmd: exec.Command(binary, "serve"), ended: make(chan error, 1)}
	p.cmd.Env = env
	p.cmd.Stderr = log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us; we stop it
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the program: %w", err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	return p, nil
}

// addressIn returns the address in a log line with this message; "" if there is no such line yet.
func addressIn(log []byte, message string) string {
	lines := bufio.NewScanner(bytes.NewReader(log))
	for lines.Scan() {
		var line struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == message {
			return strings.TrimPrefix(line.Address, "http://")
		}
	}
	return ""
}

// stopTimeout is how long the program may take to stop.
const stopTimeout = 20 * time.Second

// stop asks the program to end and waits until it has ended.
func (p *program) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop the program: %w", err)
	}
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case err := <-p.ended:
		return err
	case <-timer.C:
		_ = p.cmd.Process.Kill()
		return errors.Join(errors.New("the program did not stop when it was asked to, and was killed"), <-p.ended)
	}
}
