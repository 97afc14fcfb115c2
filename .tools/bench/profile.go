package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
)

// profile makes every call at the first number of clients once more, while the program's own profiles are taken. It
// writes them to a folder as CALL.profile (processor time) and CALL.allocs (allocations), for go tool pprof. Profiling
// has a cost, so these calls are not part of the measurement.
func (m *match) profile(ctx context.Context, s settings, targets []target, progress io.Writer) error {
	folder := s.profiles
	if folder == "" {
		return nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // nothing secret
		return err
	}
	for _, call := range s.calls {
		fmt.Fprintf(progress, "profiling %s at %d clients\n", call.name, len(targets))
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error {
			_, err := load(ctx, m.api.address, callersFor(call, targets), time.Duration(s.seconds)*time.Second+2*warmUp, m.meter)
			return err
		})
		for _, kind := range []string{"profile", "allocs"} {
			group.Go(func() error {
				wait(ctx, warmUp)
				return download(ctx, fmt.Sprintf("http://%s/debug/pprof/%s?seconds=%d", m.metrics, kind, s.seconds),
					filepath.Join(folder, call.name+"."+kind))
			})
		}
		if err := group.Wait(); err != nil {
			return fmt.Errorf("profile %s: %w", call.name, err)
		}
	}
	return nil
}

// download stores the response of an address in a file.
func download(ctx context.Context, address, file string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil) //nolint:gosec // G704: the address is that of the program we started
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(req) //nolint:gosec // G704: as above
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s: %s", address, answer.Status, body)
	}
	return os.WriteFile(file, body, 0o600)
}
