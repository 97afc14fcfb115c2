// Package app builds the program: its subcommands, and what each of them needs.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/parley/parley/modules/knowledge/adapters/extract"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/ops/reaper"
)

// Exit codes.
const (
	ExitOK     = 0
	ExitFailed = 1 // the command ran and failed
	ExitUsage  = 2 // a wrong flag or setting: nothing was done
)

// RunUnderReaper runs this program again, as a child that is not process 1.
func RunUnderReaper(args, environ []string, stderr io.Writer) int {
	self, err := os.Executable()
	code := ExitFailed
	if err == nil {
		code, err = reaper.Run(self, args, environ)
	}
	if err != nil {
		fmt.Fprintln(stderr, "parley:", err)
		return ExitFailed
	}
	return code
}

// readPDFName is the subcommand of the processes that read PDFs.
const readPDFName = "read-pdf"

// readPDFCommand returns the command that reads a PDF: this program, also where its file has been replaced by another version.
func readPDFCommand() []string {
	const running = "/proc/self/exe" // on Linux
	if _, err := os.Stat(running); err == nil {
		return []string{running, readPDFName}
	}
	if self, err := os.Executable(); err == nil {
		return []string{self, readPDFName}
	}
	return nil
}

// usageError is a mistake in the call of the program; it exits with ExitUsage.
type usageError struct{ error }

// Run runs the program with the arguments of its command line, the first of which is its name, and returns its exit
// code. It writes one line for each problem to stderr. It is safe for concurrent use, because it changes no state of
// the process.
func Run(ctx context.Context, version string, args, environ []string, stdout, stderr io.Writer) int {
	err := newCommand(version, environ, stdout, stderr).Run(ctx, args)
	if err == nil {
		return ExitOK
	}
	for _, problem := range split(err) {
		fmt.Fprintln(stderr, "parley:", problem)
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return ExitUsage
	}
	return ExitFailed
}

// split returns the errors that were joined.
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

// alone makes an action refuse arguments after its command: of our commands only import takes one.
func alone(do cli.ActionFunc) cli.ActionFunc {
	return func(ctx context.Context, c *cli.Command) error {
		if c.Args().Present() {
			return usageError{fmt.Errorf("%q is no command of parley: see parley --help", c.Args().First())}
		}
		return do(ctx, c)
	}
}

// configured makes an action of one that needs the configuration.
func configured(version string, environ []string, do configAction) cli.ActionFunc {
	return func(ctx context.Context, c *cli.Command) error {
		cfg, err := config.Load(environ)
		if err != nil {
			return usageError{err}
		}
		cfg.Version = version
		return do(ctx, c, cfg)
	}
}

func newCommand(version string, environ []string, stdout, stderr io.Writer) *cli.Command {
	withArgument := func(do configAction) cli.ActionFunc { return configured(version, environ, do) }
	withConfig := func(do configAction) cli.ActionFunc { return alone(withArgument(do)) }
	printText := func(text string) cli.ActionFunc {
		return alone(func(context.Context, *cli.Command) error {
			_, err := io.WriteString(stdout, text)
			return err
		})
	}
	serveAction := withConfig(func(ctx context.Context, _ *cli.Command, cfg *config.Config) error {
		return serve(ctx, cfg, stderr)
	})
	usage := func(_ context.Context, _ *cli.Command, err error, _ bool) error { return usageError{err} }
	operators := operatorCommands{withConfig: withConfig, withArgument: withArgument, stdout: stdout, stderr: stderr, wrong: usage}
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
		ExitErrHandler:  func(context.Context, *cli.Command, error) {}, // Run writes errors
		OnUsageError:    usage,
		Action:          serveAction,
		HideHelpCommand: true,
		Commands: []*cli.Command{
			{Name: "serve", Usage: "serve the API until SIGINT or SIGTERM (the default)", Action: serveAction, OnUsageError: usage},
			{
				Name: "worker", Usage: "run background jobs without serving the API, until SIGINT or SIGTERM", OnUsageError: usage,
				Action: withConfig(func(ctx context.Context, _ *cli.Command, cfg *config.Config) error { return workOnly(ctx, cfg, stderr) }),
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
			importCommand(operators),
			upgradePostgresCommand(withConfig, stdout, stderr, usage),
			{
				Name: "init", Usage: "prepare everything that is configured: database, schema, collections; it can be repeated", OnUsageError: usage,
				Action: withConfig(initialize(stdout, stderr)),
			},
			doctorCommand(environ, stdout, stderr, usage),
			{
				Name: "check", Usage: "check everything that is configured by writing and reading, one line each", OnUsageError: usage,
				Action: withConfig(checkAll(stdout, stderr)),
			},
			{
				Name: "health", Usage: "check whether the process is alive, at HTTP_ADDR and else at METRICS_ADDR: exit code 0 or 1", OnUsageError: usage,
				Action: withConfig(health(stdout)),
			},
			{
				Name: "openapi", Usage: "print the OpenAPI document", OnUsageError: usage,
				Action: alone(printDocument(stdout)),
			},
			{
				Name: "env", Usage: "print every setting with its default: the text of env.example", OnUsageError: usage,
				Action: printText(config.Example()),
			},
			readPDF(stdout, usage),
			{Name: "version", Usage: "print the version", OnUsageError: usage, Action: printText("parley " + version + "\n")},
		},
	}
}

// readPDF is parley read-pdf, by which a server reads each PDF in a process of its own.
func readPDF(stdout io.Writer, usage cli.OnUsageErrorFunc) *cli.Command {
	return &cli.Command{
		Name: readPDFName, Usage: "read a PDF for another process of parley", Hidden: true, OnUsageError: usage,
		Action: alone(func(context.Context, *cli.Command) error { return extract.ReadPDF(os.Stdin, stdout) }),
	}
}
