// Command parley is the backend: `parley serve` runs it, the other subcommands look after it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // reports are by days of any time zone, also where the system knows none

	"github.com/redis/go-redis/v9"
	"github.com/urfave/cli/v3"

	"github.com/parley/parley/platform/config"
	"github.com/parley/parley/platform/reaper"
)

// version is set by the linker: make build.
var version = "development"

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // it was tried and failed
	exitUsage  = 2 // a wrong flag or setting: nothing was tried
)

func main() {
	if os.Getpid() == 1 { // of a container
		os.Exit(runUnderReaper(os.Args, os.Environ(), os.Stderr))
	}
	redis.SetLogger(quiet{}) // what fails there is told by those who use it
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args, os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// runUnderReaper runs this program once more, as a child that is not process 1.
func runUnderReaper(args, environ []string, stderr io.Writer) int {
	self, err := os.Executable()
	code := exitFailed
	if err == nil {
		code, err = reaper.Run(self, args, environ)
	}
	if err != nil {
		fmt.Fprintln(stderr, "parley:", err)
		return exitFailed
	}
	return code
}

// quiet is a logger that says nothing.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// usageError is a mistake of whoever called; it exits with exitUsage.
type usageError struct{ error }

// run is the whole program. Its last words about a failure are one line a problem.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	err := newCommand(environ, stdout, stderr).Run(ctx, args)
	if err == nil {
		return exitOK
	}
	for _, problem := range split(err) {
		fmt.Fprintln(stderr, "parley:", problem)
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// split gives the errors that were joined.
func split(err error) []error {
	if usage, ok := errors.AsType[usageError](err); ok {
		err = usage.error
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, one := range joined.Unwrap() {
		all = append(all, split(one)...)
	}
	return all
}

// alone has an action refuse what stands behind its command: no command of ours takes arguments.
func alone(do cli.ActionFunc) cli.ActionFunc {
	return func(ctx context.Context, c *cli.Command) error {
		if c.Args().Present() {
			return usageError{fmt.Errorf("%q is no command of parley: see parley --help", c.Args().First())}
		}
		return do(ctx, c)
	}
}

func newCommand(environ []string, stdout, stderr io.Writer) *cli.Command {
	withConfig := func(do configAction) cli.ActionFunc {
		return alone(func(ctx context.Context, c *cli.Command) error {
			cfg, err := config.Load(environ)
			if err != nil {
				return usageError{err}
			}
			return do(ctx, c, cfg)
		})
	}
	tell := func(text string) cli.ActionFunc {
		return alone(func(context.Context, *cli.Command) error {
			_, err := io.WriteString(stdout, text)
			return err
		})
	}
	serveAction := withConfig(func(ctx context.Context, _ *cli.Command, cfg *config.Config) error {
		return serve(ctx, cfg, stderr)
	})
	usage := func(_ context.Context, _ *cli.Command, err error, _ bool) error { return usageError{err} }
	operators := operatorCommands{withConfig: withConfig, stdout: stdout, stderr: stderr, wrong: usage}
	return &cli.Command{
		Name:  "parley",
		Usage: "the backend of a platform where businesses build AI bots",
		Description: "Settings come from the environment; env.example lists them all.\n" +
			"With none set, parley serves on 127.0.0.1:8080 with a Postgres of its own under .parley.\n" +
			"Exit codes: 0 done, 1 failed, 2 wrong flag or setting.",
		Version:         version,
		HideVersion:     true,
		Writer:          stdout,
		ErrWriter:       stderr,
		ExitErrHandler:  func(context.Context, *cli.Command, error) {}, // run tells errors
		OnUsageError:    usage,
		Action:          serveAction,
		HideHelpCommand: true,
		Commands: []*cli.Command{
			{Name: "serve", Usage: "serve the API until SIGINT or SIGTERM (the default)", Action: serveAction, OnUsageError: usage},
			{
				Name: "worker", Usage: "do background jobs and serve nothing, until SIGINT or SIGTERM", OnUsageError: usage,
				Action: withConfig(func(ctx context.Context, _ *cli.Command, cfg *config.Config) error { return work(ctx, cfg, stderr) }),
			},
			migrateCommand(withConfig, stdout, stderr, usage),
			usersCommand(operators),
			workspacesCommand(operators),
			jobsCommand(operators),
			deadLettersCommand(operators),
			limitsCommand(operators),
			auditCommand(operators),
			secretCommand(operators),
			backupCommand(withConfig, stdout, stderr, usage),
			restoreCommand(withConfig, stdout, stderr, usage),
			upgradePostgresCommand(withConfig, stdout, stderr, usage),
			{
				Name: "init", Usage: "prepare all that is configured: database, schema, collections; may be repeated", OnUsageError: usage,
				Action: withConfig(initialize(stdout, stderr)),
			},
			doctorCommand(environ, stdout, stderr, usage),
			{
				Name: "check", Usage: "write to and read from all that is configured, a line each", OnUsageError: usage,
				Action: withConfig(checkAll(stdout, stderr)),
			},
			{
				Name: "health", Usage: "ask whether the process lives, at HTTP_ADDR and else at METRICS_ADDR: exit code 0 or 1", OnUsageError: usage,
				Action: withConfig(health(stdout)),
			},
			{
				Name: "openapi", Usage: "print the OpenAPI document", OnUsageError: usage,
				Action: alone(printDocument(stdout)),
			},
			{
				Name: "env", Usage: "print every setting with its default: the text of env.example", OnUsageError: usage,
				Action: tell(config.Example()),
			},
			{
				Name: "version", Usage: "print the version", OnUsageError: usage,
				Action: tell("parley " + version + "\n"),
			},
		},
	}
}
