package app

import (
	"context"
	"path/filepath"
	"time"

	"github.com/parley/parley/platform/data/blob"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/request/gateway"
	"github.com/parley/parley/platform/work/resilience"
)

// fileStore is where the bytes of files are stored.
type fileStore struct {
	blob.Store
	dir        string            // that uploads are written to, at the end or on their way
	guard      *resilience.Group // of calls to a MinIO; nil where files are on disk
	dependency dependency
}

// Limits of the calls to MinIO. Each call is for at most one part of a file.
const (
	storeTimeout = 30 * time.Second
	storeCalls   = 64 // at once
	storeWait    = 5 * time.Second
)

// openFiles chooses where the bytes of files are stored. The program starts even where MinIO is not available.
func openFiles(ctx context.Context, cfg *config.Config, guard newGuard, closing *closers) (fileStore, error) {
	if cfg.MinioEndpoint == "" {
		dir := filepath.Join(cfg.DataDir, "files")
		disk, err := blob.NewDisk(dir)
		if err != nil {
			return fileStore{}, err
		}
		closing.push(disk.Close)
		return fileStore{Store: disk, dir: dir, dependency: dependency{name: "files", service: disk}}, disk.Prepare(ctx)
	}
	dir := filepath.Join(cfg.DataDir, "spool")
	group := guard("blob", resilience.Policy{
		Timeout: storeTimeout, Concurrency: storeCalls, Wait: storeWait, Failures: breakAfter, OpenFor: cfg.BreakerOpen,
	})
	minio, err := blob.NewS3(blob.S3Options{
		Endpoint: cfg.MinioEndpoint, AccessKey: cfg.MinioAccess, SecretKey: cfg.MinioSecret, Bucket: cfg.MinioBucket,
		Spool: dir, Group: group,
	})
	if err != nil {
		return fileStore{}, err
	}
	closing.push(minio.Close)
	return fileStore{minio, dir, group, dependency{name: "minio", service: minio, ping: minio.Ping, optional: true}}, nil
}

// spaceCheck returns the check that fails where the disk for uploads has no space for the largest file. Then uploads
// fail, and everything else is served.
func (s fileStore) spaceCheck(largest int64) gateway.Check {
	return gateway.Check{Name: "files", Optional: true, Probe: func(context.Context) error {
		free, err := blob.FreeBytes(s.dir)
		if err == nil && free < largest {
			err = fail.ErrStorageFull
		}
		return err
	}}
}
