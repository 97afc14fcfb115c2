package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/parley/parley/platform/ops/config"
)

// healthTimeout is how long /healthz may take to answer at one address.
const healthTimeout = 2 * time.Second

// health asks the process on this machine whether it is alive, at HTTP_ADDR and else at METRICS_ADDR, where workers
// respond too. It is the health check of a container that has no other tool for it.
func health(stdout io.Writer) configAction {
	return func(ctx context.Context, _ *cli.Command, cfg *config.Config) error {
		url, err := healthURL("HTTP_ADDR", cfg.HTTPAddr)
		if err != nil {
			return err
		}
		err = askHealth(ctx, url)
		if err != nil && cfg.MetricsAddr != "" {
			other, wrong := healthURL("METRICS_ADDR", cfg.MetricsAddr)
			if wrong != nil {
				return wrong
			}
			if second := askHealth(ctx, other); second != nil {
				err = errors.Join(err, second)
			} else {
				err = nil
			}
		}
		if err == nil {
			_, err = io.WriteString(stdout, "ok\n")
		}
		return err
	}
}

// askHealth returns nil where a URL responds with 200.
func askHealth(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return usageError{fmt.Errorf("HTTP_ADDR: %w", err)}
	}
	res, err := (&http.Client{Transport: &http.Transport{}}).Do(req) // no proxy
	if err != nil {
		return fmt.Errorf("no process answers: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, res.Status)
	}
	return nil
}

// healthURL returns the URL of the server that listens at the address of a setting. A server that listens on all
// interfaces is called at the loopback address.
func healthURL(setting, address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", usageError{fmt.Errorf("%s: %w", setting, err)}
	}
	if port == "" || port == "0" {
		return "", usageError{fmt.Errorf("%s: should name the port that is asked, not %q", setting, address)}
	}
	switch ip := net.ParseIP(host); {
	case host == "" || ip != nil && ip.IsUnspecified() && ip.To4() != nil:
		host = "127.0.0.1"
	case ip != nil && ip.IsUnspecified():
		host = "::1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/healthz", nil
}
