package app

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/parley/parley/platform/data/blob"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/backup"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/request/callctx"
)

// Prefixes of the keys of a backup's parts.
const (
	backupFiles    = "files/"
	backupDatabase = "database/"
	backupSecrets  = "secrets/"
	backupAnchor   = "anchor/"

	anchorPrefix = "audit-anchor/" // of the anchor, in either store
	keyPageSize  = 1000            // keys of a store
)

// keptSecrets returns the files of DATA_DIR in which secrets are stored that are not set in the configuration.
func keptSecrets() []string { return []string{"jwt-secret", "secret-key"} }

// backupCommand is parley backup.
func backupCommand(withConfig func(configAction) cli.ActionFunc, stdout, stderr io.Writer, wrong cli.OnUsageErrorFunc) *cli.Command {
	return &cli.Command{
		Name: "backup", Usage: "write database, files and kept secrets to a new folder, while parley serves or not", OnUsageError: wrong,
		Arguments: []cli.Argument{&cli.StringArg{Name: "dir", UsageText: "DIR"}},
		Flags:     []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print one JSON object"}},
		Action: withConfig(func(ctx context.Context, c *cli.Command, cfg *config.Config) error {
			if c.StringArg("dir") == "" {
				return usageError{errors.New("DIR: should be a folder that is empty or not there yet")}
			}
			return makeBackup(ctx, cfg, c.StringArg("dir"), c.Bool("json"), stdout, stderr)
		}),
	}
}

func makeBackup(ctx context.Context, cfg *config.Config, dir string, asJSON bool, stdout, stderr io.Writer) (err error) {
	log := newLogger(cfg, stderr)
	d, err := joinDatabase(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	var closing closers
	defer func() { err = errors.Join(err, closing.close()) }()
	files, err := openFiles(ctx, cfg, guards(log, nil), &closing)
	if err != nil {
		return err
	}
	w, err := backup.Create(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	m := backup.Manifest{MadeAt: now(), Program: cfg.Version}
	if m.KeyPrint, err = keyPrint(cfg); err != nil {
		return err
	}
	if err := backupSecretFiles(ctx, cfg, w); err != nil {
		return err
	}
	if err := backupDataAndFiles(ctx, cfg, d, files.Store, w, &m); err != nil {
		return err
	}
	if m, err = w.Finish(m); err != nil {
		return err
	}
	noteBackup(ctx, d, log, actionBackup, m)
	if asJSON {
		return json.NewEncoder(stdout).Encode(m)
	}
	_, err = fmt.Fprintf(stdout, "%s holds a backup: %d parts, %d bytes, schema %d, PostgreSQL %s\n", dir, m.Parts, m.Bytes, m.Database.Schema, m.Database.Postgres)
	if m.KeyPrint != "" && cfg.SecretKey != "" {
		_, err = fmt.Fprintln(stdout, "SECRET_KEY is a setting and not in it: keep it elsewhere")
	}
	return err
}

// Actions in the log of the installation.
const (
	actionBackup  = "backup.create"
	actionRestore = "backup.restore"
)

// noteBackup records in the log of the installation that a backup was made or restored. A failure does not fail the
// command: an older schema has no such log.
func noteBackup(ctx context.Context, d *database, log *slog.Logger, action string, m backup.Manifest) {
	db, err := postgres.Open(ctx, postgres.Options{URL: d.url, Pooled: d.pooled(), MaxConns: 2})
	if err == nil {
		defer db.Close()
		ctx = callctx.With(ctx, &callctx.Call{TraceID: "parley-backup", UserAgent: audit.Operator, Principal: callctx.Principal{WorkspaceID: audit.Installation()}})
		err = db.Write(ctx, func(ctx context.Context) error {
			return audit.NewLog(db).Record(ctx, audit.Entry{
				Action: action, Resource: "installation", ResourceID: audit.Installation(), Changes: map[string]any{"parts": m.Parts, "bytes": m.Bytes, "made_at": m.MadeAt},
			})
		})
	}
	if err != nil {
		log.WarnContext(ctx, "it was not noted in the audit log", "action", action, "error", err)
	}
}

// backupDataAndFiles copies files and database while parley serves, in an order that keeps all rows and their files
// consistent. The bytes of a file are written before the row that names them, and removed after it. So the first pass
// copies the files, then the database is copied as of one moment, then a second pass copies the files that were added
// in the meantime. A file that a row names exists in the first or the second pass. The anchor of the audit log is
// copied before the database, because it must never be ahead of it.
func backupDataAndFiles(ctx context.Context, cfg *config.Config, d *database, files blob.Store, w *backup.Writer, m *backup.Manifest) (err error) {
	if err := backupAnchorFolder(ctx, cfg, w); err != nil {
		return err
	}
	if err := backupStore(ctx, files, w, backupFiles, func(string) (bool, error) { return true, nil }); err != nil {
		return err
	}
	m.Database, err = postgres.Dump(ctx, d.direct, func(key string, content io.Reader) error {
		return w.Put(ctx, backupDatabase+key, content)
	})
	if err != nil {
		return err
	}
	return backupStore(ctx, files, w, backupFiles, func(key string) (bool, error) {
		has, err := w.Has(ctx, backupFiles+key)
		return !has && !strings.HasPrefix(key, anchorPrefix), err
	})
}

// backupStore copies the wanted objects of a store. It skips an object that was removed after it was listed.
func backupStore(ctx context.Context, store blob.Store, w *backup.Writer, prefix string, wanted func(key string) (bool, error)) error {
	for after := ""; ; {
		list, err := store.List(ctx, "", after, keyPageSize)
		if err != nil {
			return fmt.Errorf("list the files: %w", err)
		}
		for _, o := range list {
			after = o.Key
			if want, err := wanted(o.Key); err != nil {
				return err
			} else if !want {
				continue
			}
			content, err := store.Get(ctx, o.Key, 0, -1)
			if errors.Is(err, blob.ErrNotFound) {
				continue
			}
			if err != nil {
				return fmt.Errorf("read the file %s: %w", o.Key, err)
			}
			err = w.Put(ctx, prefix+o.Key, content)
			if err = errors.Join(err, content.Close()); err != nil {
				return err
			}
		}
		if len(list) < keyPageSize {
			return nil
		}
	}
}

func backupSecretFiles(ctx context.Context, cfg *config.Config, w *backup.Writer) error {
	for _, name := range keptSecrets() {
		content, err := os.ReadFile(filepath.Join(cfg.DataDir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read a kept secret: %w", err)
		}
		if err := w.Put(ctx, backupSecrets+name, bytes.NewReader(content)); err != nil {
			return err
		}
	}
	return nil
}

// anchorFolder returns the folder of the audit log's anchor where it is in DATA_DIR. A folder elsewhere that
// AUDIT_ANCHOR names is not part of the backup.
func anchorFolder(cfg *config.Config) string {
	if cfg.AuditAnchor != "" || cfg.DatabaseURL != "" {
		return ""
	}
	return filepath.Join(cfg.DataDir, "audit-anchor")
}

func backupAnchorFolder(ctx context.Context, cfg *config.Config, w *backup.Writer) (err error) {
	folder := anchorFolder(cfg)
	if folder == "" {
		return nil
	}
	disk, err := blob.NewDisk(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, disk.Close()) }()
	return backupStore(ctx, disk, w, backupAnchor, func(string) (bool, error) { return true, nil })
}

// keyPrint returns a fingerprint of SECRET_KEY, in hex; "" where no key exists yet.
func keyPrint(cfg *config.Config) (string, error) {
	ring, found, err := presentRing(cfg)
	if err != nil || !found {
		return "", err
	}
	return hex.EncodeToString(ring.Current().Print()), nil
}
