// Command parley is the backend: `parley serve` runs it, the other subcommands look after it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // reports are by days of any time zone, also where the system knows none

	"github.com/redis/go-redis/v9"

	"github.com/parley/parley/cmd/parley/app"
)

// version is set by the linker: make build.
var version = "development"

func main() {
	if os.Getpid() == 1 { // of a container
		os.Exit(app.RunUnderReaper(os.Args, os.Environ(), os.Stderr))
	}
	redis.SetLogger(quiet{}) // whoever uses the client reports its failures
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := app.Run(ctx, version, os.Args, os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// quiet is a logger that writes nothing.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}
