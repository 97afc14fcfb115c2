package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
)

// Upgraded is the result of an upgrade.
type Upgraded struct {
	From, To int    // major versions
	Kept     string // where the old data is
}

// Upgrade moves the data of the folder o.Dir to the major version of the binaries in o.BinDir. It starts a server of
// the old version, whose binaries are in oldBin or where Start looks for them, and an empty server of the new version.
// transfer copies everything from the first to the second, by their URLs. The new data then replaces the old data in
// one step, and the old data stays beside it. If anything fails or this process is killed, the folder is either
// unchanged or upgraded completely.
func Upgrade(ctx context.Context, o Options, oldBin string, transfer func(ctx context.Context, from, to string) error) (u Upgraded, err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.MaxConnections = defaultMaxConnections
	who, err := serverAccount()
	if err != nil {
		return u, err
	}
	dir, err := makeFolder(o.Dir, who)
	if err != nil {
		return u, err
	}
	lock, err := takeLock(dir)
	if err != nil {
		return u, err
	}
	defer lock.release()
	data := filepath.Join(dir, "data")
	before, after, err := versions(ctx, o.BinDir, oldBin, data, who)
	if err != nil {
		return u, err
	}
	u = Upgraded{From: before.major, To: after.major, Kept: data + "-" + strconv.Itoa(before.major)}
	if err := removeUnused(u); err != nil {
		return u, err
	}
	work := filepath.Join(dir, "upgrade")
	if err := endOrphans(ctx, filepath.Join(work, "data"), o.Log); err != nil {
		return u, err
	}
	if err := os.RemoveAll(work); err != nil {
		return u, fmt.Errorf("cannot remove what an earlier upgrade left: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := fill(ctx, o, before, after, dir, work, who, transfer); err != nil {
		return u, fmt.Errorf("%w; the data folder %s is as it was", err, data)
	}
	if err := os.Rename(filepath.Join(work, "data"), u.Kept); err != nil { // the new data, for a moment
		return u, fmt.Errorf("cannot put the new data beside the old: %w", err)
	}
	if err := exchange(data, u.Kept); err != nil {
		return u, errors.Join(fmt.Errorf("cannot put the new data in the place of the old, which is as it was: %w", err), os.RemoveAll(u.Kept))
	}
	return u, syncFolder(dir)
}

// versions finds the binaries of the data and those that it is to be moved to.
func versions(ctx context.Context, newBin, oldBin, data string, who account) (before, after binaries, err error) {
	major, err := dataMajor(data)
	if err != nil {
		return before, after, err
	}
	if major == 0 {
		return before, after, fmt.Errorf("there is no data in %s to be upgraded", data)
	}
	if after, err = chooseBinaries(ctx, newBin, data+".none", who); err != nil {
		return before, after, err
	}
	if after.major <= major {
		return before, after, fmt.Errorf("the data folder %s is of PostgreSQL %d, and the binaries in %s are PostgreSQL %d: set POSTGRES_BIN_DIR to the bin folder of a newer one", data, major, after.dir, after.major)
	}
	if oldBin != "" && !holdsBinaries(oldBin) {
		return before, after, fmt.Errorf("no initdb and postgres in the folder %s that --old-bin names", oldBin)
	}
	before, err = chooseBinaries(ctx, oldBin, data, who)
	if err != nil {
		err = fmt.Errorf("the binaries that made the data are needed too, --old-bin names their folder: %w", err)
	}
	return before, after, err
}

// removeUnused removes new data that an upgrade has left which was killed just before its end. Old data that is kept there is refused.
func removeUnused(u Upgraded) error {
	major, err := dataMajor(u.Kept)
	if err != nil {
		return err
	}
	if major == u.From {
		return fmt.Errorf("%s is there already, from an earlier upgrade: move it away", u.Kept)
	}
	if err := os.RemoveAll(u.Kept); err != nil {
		return fmt.Errorf("cannot remove what an earlier upgrade left: %w", err)
	}
	return nil
}

// fill makes new data in the folder work and has everything transferred to it.
func fill(ctx context.Context, o Options, before, after binaries, dir, work string, who account, transfer func(ctx context.Context, from, to string) error) (err error) {
	run := func(bin binaries, dir string) (*Server, error) {
		o := o
		o.Dir, o.BinDir = dir, bin.dir
		return start(ctx, o, dir, who, nil)
	}
	if work, err = makeFolder(work, who); err != nil {
		return err
	}
	from, err := run(before, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Stop(context.WithoutCancel(ctx))) }()
	to, err := run(after, work)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Stop(context.WithoutCancel(ctx))) }()
	return transfer(ctx, from.URL(defaultDatabase), to.URL(defaultDatabase))
}

// exchangeByRename replaces exchange on a system without that call. Between its steps one of the two paths holds no
// data. lostData reports where the data is if a process finds none at the first path.
func exchangeByRename(a, b string) error {
	between := b + ".new"
	if err := os.Rename(b, between); err != nil {
		return err
	}
	if err := os.Rename(a, b); err != nil {
		return errors.Join(err, os.Rename(between, b))
	}
	if err := os.Rename(between, a); err != nil {
		return errors.Join(err, os.Rename(b, a))
	}
	return nil
}

// lostData refuses to make a data folder where that of an upgrade which was killed is under another name.
func lostData(data string) error {
	if _, err := os.Stat(data); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if left, _ := filepath.Glob(data + "-*"); len(left) > 0 { // of a pattern that is one
		return fmt.Errorf("there is no data in %s, but in %s: rename it to %s, and start again", data, left[0], data)
	}
	return nil
}
