package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// lookAtMemory is the interval between two measurements of the memory of the program.
const lookAtMemory = 50 * time.Millisecond

// resident is how many bytes of a process are in memory, from /proc; 0 where there is none (not Linux).
func resident(pid int) int64 {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text, []byte("VmRSS:"))
	var kilobytes int64
	if _, err := fmt.Sscan(string(rest), &kilobytes); err != nil {
		return 0
	}
	return kilobytes << 10
}

// highest waits for d, or until the context ends, and returns the highest memory use of the process that it has
// measured.
func highest(ctx context.Context, pid int, d time.Duration) (most int64) {
	end := time.NewTimer(d)
	defer end.Stop()
	look := time.NewTicker(lookAtMemory)
	defer look.Stop()
	for {
		most = max(most, resident(pid))
		select {
		case <-look.C:
		case <-end.C:
			return max(most, resident(pid))
		case <-ctx.Done():
			return most
		}
	}
}

// reportFootprint reports the memory of the program. It then starts the program again, with a Postgres of its own, and
// reports how long that takes.
func (m *match) reportFootprint(ctx context.Context, idle int64, cells []cell, s settings, out, progress io.Writer) error {
	var most int64
	clients, during := slices.Max(s.clients), ""
	for _, c := range cells {
		for _, sample := range c.ours {
			if c.clients == clients && sample.resident > most {
				most, during = sample.resident, c.call
			}
		}
	}
	if most > 0 {
		fmt.Fprintf(out, "\nmemory: parley has %.1f MB resident when it has started, and %.1f MB at the most under load, at %s with %d clients.\n",
			megabytes(idle), megabytes(most), during, clients)
	}
	fmt.Fprintf(progress, "starting the program with a Postgres of its own\n")
	dir, err := filepath.Abs(filepath.Join(m.dir, "start"))
	if err != nil {
		return err
	}
	first, err := startTime(ctx, m.environment, dir)
	if err != nil {
		return err
	}
	again := make([]float64, s.rounds)
	for i := range again {
		took, err := startTime(ctx, m.environment, dir)
		if err != nil {
			return err
		}
		again[i] = float64(took)
	}
	_, err = fmt.Fprintf(out, "start: with a Postgres of its own, from exec to the first 200 of /readyz: %d ms on a folder with data, %d ms on a new one.\n",
		time.Duration(median(again)).Milliseconds(), first.Milliseconds())
	return err
}

func megabytes(n int64) float64 { return float64(n) / 1e6 }

// lookAtStart is the interval between two checks whether the program is ready.
const lookAtStart = 2 * time.Millisecond

// startTime runs the program as one who gives it nothing but a data folder, until it is ready.
func startTime(ctx context.Context, e *environment, dir string) (took time.Duration, err error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return 0, err
	}
	log, err := os.Create(filepath.Join(e.dir, "start.log"))
	if err != nil {
		return 0, err
	}
	defer log.Close()
	began := time.Now()
	p, err := execute(e.binary, log, []string{"PATH=" + os.Getenv("PATH"), "HTTP_ADDR=" + address, "DATA_DIR=" + dir, "LOG_FORMAT=json"})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	look := time.NewTicker(lookAtStart)
	defer look.Stop()
	for {
		notReady := once(ctx, address, get("", "/readyz"))
		if notReady == nil {
			return time.Since(began), nil
		}
		select {
		case <-look.C:
		case ended := <-p.ended:
			p.ended <- ended // for stop
			text, _ := os.ReadFile(log.Name())
			return 0, fmt.Errorf("the program has ended before it was ready: %w\n%s", ended, text)
		case <-ctx.Done():
			return 0, fmt.Errorf("the program is not ready: %w", notReady)
		}
	}
}

// freeAddress returns an address on which no process listens at the moment.
func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
