package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/parley/parley/platform/ops/config"
)

// state is the severity of a finding of parley doctor.
type state string

// The states of findings.
const (
	fine    state = "ok"
	warning state = "warning" // everything is served, but an operator should look at it
	broken  state = "broken"  // something is not served, or will not be after the next start
)

// finding is one result of parley doctor.
type finding struct {
	Name   string `json:"name"`
	State  state  `json:"state"`
	What   string `json:"what"`
	Remedy string `json:"remedy,omitempty"` // "" where nothing has to be done
}

// doctorCommand is parley doctor. It reads the settings itself, because wrong settings are findings too.
func doctorCommand(environ []string, stdout, stderr io.Writer, wrong cli.OnUsageErrorFunc) *cli.Command {
	return &cli.Command{
		Name: "doctor", Usage: "report what is wrong and what to do: exit code 1 where something is broken, 0 where there are only warnings", OnUsageError: wrong,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print one JSON object a line"}},
		Action: alone(func(ctx context.Context, c *cli.Command) error {
			cfg, err := config.Load(environ)
			if err != nil {
				return printFindings(stdout, &config.Config{}, c.Bool("json"), wrongSettings(err))
			}
			findings, err := examine(ctx, cfg, stderr)
			if err != nil {
				return err
			}
			return printFindings(stdout, cfg, c.Bool("json"), append(settingsFindings(cfg), findings...))
		}),
	}
}

// printFindings prints one line for each finding, and returns an error where one is broken. It prints no secret of the
// configuration.
func printFindings(stdout io.Writer, cfg *config.Config, asJSON bool, findings []finding) error {
	count := map[state]int{}
	for _, f := range findings {
		count[f.State]++
		f.What, f.Remedy = oneLine(cfg.Hide(f.What)), cfg.Hide(f.Remedy)
		var err error
		if asJSON {
			err = json.NewEncoder(stdout).Encode(f)
		} else {
			text := fmt.Sprintf("[%s] %s: %s\n", strings.ToUpper(string(f.State)), f.Name, f.What)
			if f.Remedy != "" {
				text += "  -> " + f.Remedy + "\n"
			}
			_, err = io.WriteString(stdout, text)
		}
		if err != nil {
			return err
		}
	}
	if !asJSON {
		fmt.Fprintf(stdout, "%d ok, %d warnings, %d broken\n", count[fine], count[warning], count[broken])
	}
	if count[broken] > 0 {
		return fmt.Errorf("%d of %d are broken", count[broken], len(findings))
	}
	return nil
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// wrongSettings returns a finding for each wrong setting.
func wrongSettings(err error) (findings []finding) {
	for _, problem := range split(err) {
		findings = append(findings, finding{"settings", broken, problem.Error(), "set it as it says: no command works before; parley env lists all settings"})
	}
	return findings
}

// settingsFindings returns warnings about settings that are allowed and may be a mistake.
func settingsFindings(cfg *config.Config) (findings []finding) {
	warn := func(what, remedy string) { findings = append(findings, finding{"settings", warning, what, remedy}) }
	if cfg.Production() {
		if cfg.WebhookPrivate {
			warn("WEBHOOK_ALLOW_PRIVATE is true in production: tenants reach into your network", "leave it out")
		}
		if cfg.SMTPURL == "" {
			warn("no SMTP_URL: invitations are not sent by email", "set SMTP_URL and MAIL_FROM, or pass invitation tokens on by hand")
		}
		if cfg.AuditAnchor == "none" || cfg.AuditAnchor == "" && cfg.DatabaseURL != "" {
			warn("no AUDIT_ANCHOR: rows that are removed from the end of an audit log do not show", "set AUDIT_ANCHOR=files")
		}
		if cfg.MetricsAddr == "" {
			warn("no METRICS_ADDR: no alerts are possible", "set METRICS_ADDR and have a Prometheus read it")
		}
	} else if !strings.HasPrefix(cfg.HTTPAddr, "127.0.0.1:") && !strings.HasPrefix(cfg.HTTPAddr, "localhost:") && !strings.HasPrefix(cfg.HTTPAddr, "[::1]:") {
		warn("APP_ENV is development, and HTTP_ADDR can be reached from outside", "set APP_ENV=production, which has limits by default")
	}
	if len(findings) == 0 {
		return []finding{{"settings", fine, "they can be used", ""}}
	}
	return findings
}

// examine checks the database and all other configured dependencies, whether parley runs or not.
func examine(ctx context.Context, cfg *config.Config, stderr io.Writer) ([]finding, error) {
	var found []finding // of the last run: an embedded database that stops meanwhile is looked at again
	results, err := onConfiguredStorage(ctx, cfg, newLogger(cfg, stderr), func(s storage) []result {
		results := checkEach(ctx, s.dependencies())
		found = nil
		if s.db.Ping(ctx) == nil {
			found = examination{cfg, s.db, s.migrator, s.files.dir}.findings(ctx)
		}
		return results
	})
	if err != nil {
		return nil, err
	}
	all := make([]finding, 0, len(results)+len(found))
	for i, r := range results {
		all = append(all, dependencyFinding(cfg, r, i == 0))
	}
	return append(all, found...), nil
}
