package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/parley/parley/platform/config"
)

// healthPatience is how long /healthz may take to answer.
const healthPatience = 3 * time.Second

// health asks the server of this machine whether it lives: for a container, which has no other means of asking.
func health(stdout io.Writer) configAction {
	return func(ctx context.Context, _ *cli.Command, cfg *config.Config) error {
		url, err := healthURL(cfg.HTTPAddr)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, healthPatience)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return usageError{fmt.Errorf("HTTP_ADDR: %w", err)}
		}
		res, err := (&http.Client{Transport: &http.Transport{}}).Do(req) // no proxy
		if err != nil {
			return fmt.Errorf("nobody answers: %w", err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, res.Status)
		}
		_, err = io.WriteString(stdout, "ok\n")
		return err
	}
}

// healthURL is where the server that listens at an address answers: one that listens everywhere does so at loopback.
func healthURL(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", usageError{fmt.Errorf("HTTP_ADDR: %w", err)}
	}
	if port == "" || port == "0" {
		return "", usageError{fmt.Errorf("HTTP_ADDR: should name the port that is asked, not %q", address)}
	}
	switch ip := net.ParseIP(host); {
	case host == "" || ip != nil && ip.IsUnspecified() && ip.To4() != nil:
		host = "127.0.0.1"
	case ip != nil && ip.IsUnspecified():
		host = "::1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/healthz", nil
}
