package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	turns "github.com/parley/parley/modules/conversations/adapters/postgres"
	"github.com/parley/parley/platform/data/analytics"
	"github.com/parley/parley/platform/data/blob"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/request/callctx"
)

// Thresholds above which parley doctor warns.
const (
	jobsLate      = 5 * time.Minute // for the oldest job that is due
	sealsLate     = 10 * time.Minute
	backupLate    = 7 * 24 * time.Hour
	outboxLong    = 100_000 // rows
	diskLow       = 5 << 30 // bytes
	diskFull      = 256 << 20
	smtpDialLimit = 5 * time.Second
)

// dependencyFinding makes a finding of a result of parley check. The first dependency is the database.
func dependencyFinding(cfg *config.Config, r result, database bool) finding {
	f := finding{Name: r.name, State: fine, What: "it was written to and read from"}
	if r.err == nil {
		return f
	}
	f.State, f.What = broken, why(r.err)
	switch {
	case database:
		f.Remedy = "see that it runs and that DATABASE_URL leads to it (embedded: that DATA_DIR can be read); a wrong schema is mended by parley init, " +
			"or by parley migrate repair"
	case r.optional && !cfg.Strict:
		f.State = warning
		f.Remedy = "see that it runs and that its address and password are right; until then parley goes on without it"
	default:
		f.Remedy = "see that it runs, and that its address, password and rights, or the folder's, are right"
	}
	return f
}

// examination is what parley doctor looks at beside the dependencies.
type examination struct {
	cfg      *config.Config
	db       *postgres.DB
	migrator *postgres.Migrator
	filesDir string
}

// findings returns the findings about a database that can be reached, and about this machine.
func (e examination) findings(ctx context.Context) (findings []finding) {
	findings = append(findings, e.diskFindings()...)
	findings = append(findings, e.fileFinding(), e.smtpFinding(ctx))
	at, newest, _, err := e.migrator.Status(ctx)
	if err != nil || at < newest {
		return append(findings, finding{"stored data", warning, "it was not looked at, as the schema is not that of this program", "run parley init, then this again"})
	}
	if at > newest {
		findings = append(findings, finding{"schema", warning, fmt.Sprintf("it is at version %d, and this program knows %d: a newer release has migrated it", at, newest),
			"use that release here too"})
	}
	for _, look := range []struct {
		name string
		do   func(context.Context) ([]finding, error)
	}{
		{checkedKey, e.keyFindings}, {"jobs", e.jobFindings}, {"turns", e.turnFindings}, {"audit log", e.sealFindings},
		{"analytics", e.analyticsFindings}, {"backup", e.backupFindings},
	} {
		var found []finding
		err := <-inTime(ctx, checkTimeout, func(ctx context.Context) (err error) {
			found, err = look.do(ctx)
			return err
		})
		if err != nil {
			found = []finding{{look.name, broken, why(err), "see what the database says of it"}}
		}
		findings = append(findings, found...)
	}
	return findings
}

// oneFinding returns one finding, which is a warning if warn is set.
func oneFinding(name string, warn bool, what, remedy string) []finding {
	if warn {
		return []finding{{name, warning, what, remedy}}
	}
	return []finding{{name, fine, what, ""}}
}

func (e examination) keyFindings(ctx context.Context) ([]finding, error) {
	note, err := keyState(ctx, e.cfg, e.db)
	if err != nil {
		return []finding{{checkedKey, broken, why(err), "put the key that is missing into SECRET_PREVIOUS_KEYS, then run parley secret rotate; where it is lost for good, parley secret adopt --yes"}}, nil
	}
	if note != "" {
		return []finding{{checkedKey, warning, note, "when every process has the new key, run parley secret rotate, then take the former one out of SECRET_PREVIOUS_KEYS"}}, nil
	}
	return oneFinding(checkedKey, false, "all is sealed under it", ""), nil
}

func (e examination) jobFindings(ctx context.Context) ([]finding, error) {
	d, err := newQueue(e.db).jobs.Depth(ctx)
	if err != nil {
		return nil, err
	}
	waiting := fmt.Sprintf("%d wait, %d run, the one that is due for longest has waited %s", d.Queued, d.Running, d.Oldest.Round(time.Second))
	return append(oneFinding("jobs", d.Oldest > jobsLate, waiting, "start parley worker, or raise WORKERS; parley jobs list shows them"),
		oneFinding("dead letters", d.Dead > 0, fmt.Sprintf("%d jobs were given up", d.Dead), "parley dead-letters list shows why; fix the cause, then parley dead-letters retry")...), nil
}

func (e examination) turnFindings(ctx context.Context) ([]finding, error) {
	n, err := turns.CountAbandoned(ctx, e.db, abandonedCounted)
	if err != nil {
		return nil, err
	}
	return oneFinding("turns", n > 0, fmt.Sprintf("%d wait for a process to go on with them", n), "start a parley that serves; if one does, look at its log for \"recover\""), nil
}

func (e examination) sealFindings(ctx context.Context) ([]finding, error) {
	n, since, err := audit.NewSealer(e.db, nil, nil).Waiting(ctx)
	if err != nil {
		return nil, err
	}
	what := "all rows are sealed, or were written in the last minutes"
	late := n > 0 && time.Since(since) > sealsLate
	if late {
		what = fmt.Sprintf("%d workspaces have rows that are not sealed; all was sealed last at %s", n, since.UTC().Format(time.RFC3339))
		if since.Unix() <= 0 {
			what = fmt.Sprintf("%d workspaces have rows that are not sealed, and nothing ever was", n)
		}
	}
	return oneFinding("audit log", late, what, "start a parley that serves: it seals every UPKEEP_INTERVAL; if one does, look at its log for \"seal the audit log\""), nil
}

func (e examination) analyticsFindings(ctx context.Context) ([]finding, error) {
	n, err := analytics.Depth(ctx, e.db)
	if err != nil {
		return nil, err
	}
	return oneFinding("analytics", n >= outboxLong, fmt.Sprintf("%d rows wait to be counted", n), "see that ClickHouse runs, where one is configured, and that a parley has WORKERS above 0"), nil
}

func (e examination) backupFindings(ctx context.Context) ([]finding, error) {
	rows, err := e.installationLog(ctx, actionBackup, 1)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return oneFinding("backup", true, "parley backup has not made any; other ways are not seen", "run parley backup DIR, every day, to another machine"), nil
	}
	age := time.Since(rows[0].CreatedAt)
	return oneFinding("backup", age > backupLate, "parley backup made the last one at "+rows[0].CreatedAt.UTC().Format(time.RFC3339), "run parley backup DIR, every day, to another machine"), nil
}

// installationLog reads the newest rows of an action in the log of the installation.
func (e examination) installationLog(ctx context.Context, action string, limit int) ([]audit.Row, error) {
	ctx = callctx.With(ctx, &callctx.Call{Principal: callctx.Principal{WorkspaceID: audit.Installation()}})
	return audit.NewLog(e.db).List(ctx, audit.Filter{Action: &action}, nil, limit)
}

// diskFindings returns findings about the free space for the embedded database and for files.
func (e examination) diskFindings() (findings []finding) {
	for _, dir := range []struct{ name, path string }{{"disk of DATA_DIR", e.cfg.DataDir}, {"disk of files", e.filesDir}} {
		free, err := blob.FreeBytes(dir.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it is not used
		}
		f := finding{Name: dir.name, State: fine, What: fmt.Sprintf("%d MiB are free in %s", free>>20, dir.path)}
		switch {
		case err != nil:
			f.State, f.What, f.Remedy = broken, err.Error(), "see that the folder can be read"
		case free < max(diskFull, e.cfg.FileLimit):
			f.State, f.Remedy = broken, "make room: uploads are refused, and an embedded database stops when it is full"
		case free < diskLow:
			f.State, f.Remedy = warning, "make room before it is full"
		}
		findings = append(findings, f)
	}
	return findings
}

// fileFinding returns a finding about stored secrets that other users of this machine can read.
func (e examination) fileFinding() finding {
	f := finding{Name: "kept secrets", State: fine, What: "no other user can read them, or there are none"}
	for _, name := range keptSecrets() {
		path := filepath.Join(e.cfg.DataDir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
			return finding{f.Name, warning, path + " can be read by others on this machine", "chmod 600 " + path}
		}
	}
	return f
}

// smtpFinding reports whether the mail server can be reached. It sends nothing.
func (e examination) smtpFinding(ctx context.Context) finding {
	f := finding{Name: "smtp", State: fine, What: "there is none"}
	if e.cfg.SMTPURL == "" {
		return f
	}
	u, err := url.Parse(e.cfg.SMTPURL)
	if err == nil {
		port := map[bool]string{true: "465", false: "587"}[u.Scheme == "smtps"]
		if u.Port() != "" {
			port = u.Port()
		}
		var conn net.Conn
		if conn, err = (&net.Dialer{Timeout: smtpDialLimit}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port)); err == nil {
			_ = conn.Close()
			f.What = "it can be reached"
			return f
		}
	}
	return finding{f.Name, warning, why(err), "see that the mail server runs and that SMTP_URL leads to it: invitations wait, and are dead letters after some days"}
}
