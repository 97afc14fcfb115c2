package app

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/parley/parley/platform/data/blob"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/backup"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/ops/secret"
)

// restoreCommand is parley restore.
func restoreCommand(withConfig func(configAction) cli.ActionFunc, stdout, stderr io.Writer, wrong cli.OnUsageErrorFunc) *cli.Command {
	return &cli.Command{
		Name: "restore", Usage: "verify the backup in a folder and put it where the settings say, while no parley serves", OnUsageError: wrong,
		Arguments: []cli.Argument{&cli.StringArg{Name: "dir", UsageText: "DIR"}},
		Flags:     []cli.Flag{&cli.BoolFlag{Name: "yes", Usage: "replace what is there"}, &cli.BoolFlag{Name: "json", Usage: "print one JSON object"}},
		Action: withConfig(func(ctx context.Context, c *cli.Command, cfg *config.Config) error {
			if c.StringArg("dir") == "" {
				return usageError{errors.New("DIR: should be the folder of a backup")}
			}
			return restoreBackup(ctx, cfg, c.StringArg("dir"), c.Bool("yes"), c.Bool("json"), stdout, stderr)
		}),
	}
}

// restoreBackup verifies the backup and the target before it changes anything. Then it restores the files, to which
// rows refer, the database, and the secrets. After an interruption it can be run again, with --yes.
func restoreBackup(ctx context.Context, cfg *config.Config, dir string, yes, asJSON bool, stdout, stderr io.Writer) (err error) {
	a, err := backup.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	newest, err := postgres.Newest()
	if err != nil {
		return err
	}
	if a.Manifest.Database.Schema > newest {
		return fmt.Errorf("the backup has schema %d, and this program knows %d: use the release that made it (%s) or a newer one", a.Manifest.Database.Schema, newest, a.Manifest.Program)
	}
	if err := a.Verify(ctx); err != nil {
		return err
	}
	if err := fitsKey(ctx, cfg, a); err != nil {
		return err
	}
	log := newLogger(cfg, stderr)
	d, err := openDatabase(ctx, cfg, log)
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
	if err := files.dependency.Prepare(ctx); err != nil {
		return err
	}
	m := postgres.NewMigrator(d.direct, log)
	if err := m.EnsureDatabase(ctx); err != nil {
		return err
	}
	if err := checkReplaceable(ctx, cfg, d, files.Store, a, yes); err != nil {
		return err
	}
	if err := restoreAll(ctx, cfg, d, files.Store, m, a, map[bool]io.Writer{true: stderr, false: stdout}[asJSON]); err != nil {
		return fmt.Errorf("the target is now half restored, run parley restore again with --yes: %w", err)
	}
	noteBackup(ctx, d, log, actionRestore, a.Manifest)
	if asJSON {
		return json.NewEncoder(stdout).Encode(a.Manifest)
	}
	_, err = fmt.Fprintf(stdout, "restored %d parts, %d bytes, schema %d, as they were at %s\n", a.Manifest.Parts, a.Manifest.Bytes, a.Manifest.Database.Schema, a.Manifest.MadeAt.Format("2006-01-02 15:04:05 MST"))
	return err
}

// fitsKey returns an error for a SECRET_KEY that cannot open the secrets of the backup.
func fitsKey(ctx context.Context, cfg *config.Config, a *backup.Archive) error {
	if a.Manifest.KeyPrint == "" {
		return nil
	}
	if cfg.SecretKey == "" {
		kept, err := a.Get(ctx, backupSecrets+"secret-key")
		if errors.Is(err, blob.ErrNotFound) {
			return usageError{errors.New("SECRET_KEY: should be that of the backup, which holds none")}
		}
		if err != nil {
			return err
		}
		return kept.Close()
	}
	ring, _, err := presentRing(cfg)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(ring.Masters(), func(m secret.Master) bool { return hex.EncodeToString(m.Print()) == a.Manifest.KeyPrint }) {
		return usageError{errors.New("SECRET_KEY: should be that of the backup, or SECRET_PREVIOUS_KEYS should have it: with another one its secrets cannot be opened and its seals do not fit")}
	}
	return nil
}

const (
	clientsWait  = 5 * time.Second // for connections that are being closed
	clientsPause = 100 * time.Millisecond
)

// awaitNoClients returns how the database is used. It returns an error where other clients are still connected after
// clientsWait.
func awaitNoClients(ctx context.Context, d *database) (postgres.Use, error) {
	for until := time.Now().Add(clientsWait); ; {
		use, err := postgres.Used(ctx, d.direct)
		if err != nil || use.Clients == 0 {
			return use, err
		}
		if time.Now().After(until) {
			return use, fmt.Errorf("%d others are connected to the database: stop every parley first", use.Clients)
		}
		select {
		case <-ctx.Done():
			return use, ctx.Err()
		case <-time.After(clientsPause):
		}
	}
}

// checkReplaceable returns an error for a target that is in use, and for a target that is not empty unless it may be
// replaced.
func checkReplaceable(ctx context.Context, cfg *config.Config, d *database, files blob.Store, a *backup.Archive, yes bool) error {
	use, err := awaitNoClients(ctx, d)
	if err != nil {
		return err
	}
	if yes {
		return nil
	}
	var held []string
	if use.Held {
		held = append(held, "the database")
	}
	list, err := files.List(ctx, "", "", 1)
	if err != nil {
		return fmt.Errorf("list the files: %w", err)
	}
	if len(list) > 0 {
		held = append(held, "the store of files")
	}
	for _, name := range keptSecrets() {
		there, err := os.ReadFile(filepath.Join(cfg.DataDir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		kept, failed := readPart(ctx, a, backupSecrets+name)
		if errors.Is(failed, blob.ErrNotFound) {
			continue
		}
		if err = errors.Join(err, failed); err != nil {
			return fmt.Errorf("compare a kept secret: %w", err)
		}
		if string(kept) != string(there) {
			held = append(held, "the secret in "+filepath.Join(cfg.DataDir, name))
		}
	}
	if len(held) > 0 {
		return usageError{fmt.Errorf("--yes: should be given, as this would be replaced: %s", strings.Join(held, ", "))}
	}
	return nil
}

func readPart(ctx context.Context, a *backup.Archive, key string) ([]byte, error) {
	content, err := a.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	return io.ReadAll(content)
}

func restoreAll(ctx context.Context, cfg *config.Config, d *database, files blob.Store, m *postgres.Migrator, a *backup.Archive, stdout io.Writer) error {
	if err := restoreStore(ctx, a, backupFiles, files); err != nil {
		return err
	}
	if err := m.Rebuild(ctx, a.Manifest.Database.Schema); err != nil {
		return err
	}
	foreign, err := postgres.Load(ctx, d.direct, a.Manifest.Database, func(key string) (io.ReadCloser, error) { return a.Get(ctx, backupDatabase+key) })
	if err != nil {
		return err
	}
	for _, t := range foreign {
		fmt.Fprintf(stdout, "left out: %s is no table of parley; its rows are in %s of the backup\n", t.Name, backupDatabase+t.Key())
	}
	for _, name := range keptSecrets() {
		content, err := readPart(ctx, a, backupSecrets+name)
		if errors.Is(err, blob.ErrNotFound) {
			continue
		}
		if err == nil {
			path := filepath.Join(cfg.DataDir, name)
			err = backup.WriteFile(path+".restored", path, content)
		}
		if err != nil {
			return fmt.Errorf("restore a kept secret: %w", err)
		}
	}
	return restoreAnchor(ctx, cfg, a)
}

func restoreStore(ctx context.Context, a *backup.Archive, prefix string, store blob.Store) error {
	return a.Each(func(part backup.Part) error {
		key, ok := strings.CutPrefix(part.Key, prefix)
		if !ok {
			return nil
		}
		content, err := a.Get(ctx, part.Key)
		if err != nil {
			return err
		}
		_, err = store.Put(ctx, key, content)
		if err = errors.Join(err, content.Close()); err != nil {
			return fmt.Errorf("restore %s: %w", part.Key, err)
		}
		return nil
	})
}

// restoreAnchor restores the audit log's anchor into its folder if that is empty. A folder with an anchor stays as it
// is, so that parley audit verify detects that a backup was restored; an operator accepts that with parley audit adopt.
func restoreAnchor(ctx context.Context, cfg *config.Config, a *backup.Archive) (err error) {
	folder := anchorFolder(cfg)
	if folder == "" {
		return nil
	}
	disk, err := blob.NewDisk(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, disk.Close()) }()
	if list, err := disk.List(ctx, "", "", 1); err != nil || len(list) > 0 {
		return err
	}
	return restoreStore(ctx, a, backupAnchor, disk)
}
