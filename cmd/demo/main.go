// Command demo walks the journeys U1, U3, U5, U6 and U10 against a running server, with nothing but HTTP, and prints each
// step: what it is, the call, the answer. It stops at the first answer that is not as it should be.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Exit codes, as those of parley.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	server := flags.String("url", "http://127.0.0.1:8080", "where the server is")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil {
		return exitUsage
	}
	if u, err := url.Parse(*server); err != nil || u.Host == "" || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "demo: takes -url and nothing else, such as -url http://127.0.0.1:8080")
		return exitUsage
	}
	w := newWalker(strings.TrimRight(*server, "/"), stdout)
	if err := w.walk(ctx); err != nil {
		fmt.Fprintln(stderr, "demo:", err)
		return exitFailed
	}
	fmt.Fprintf(stdout, "All went well: U1, U3, U5, U6 and U10 in %d calls, and a retry that changed nothing.\n", w.calls)
	return exitOK
}
