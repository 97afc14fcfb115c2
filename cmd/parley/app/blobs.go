package app

import (
	"context"
	"path/filepath"
	"time"

	"github.com/parley/parley/platform/blob"
	"github.com/parley/parley/platform/fail"
	"github.com/parley/parley/platform/resilience"
)

// Limits of the calls to MinIO. Each call is for at most one part of a file.
const (
	storeTimeout = 30 * time.Second
	storeCalls   = 64 // at once
	storeWait    = 5 * time.Second
)

// openBlobs chooses where the bytes of files are stored. The program starts even where MinIO is not available.
func (p *platform) openBlobs(ctx context.Context) error {
	p.filesDir = filepath.Join(p.cfg.DataDir, "spool")
	if p.cfg.MinioEndpoint == "" {
		p.filesDir = filepath.Join(p.cfg.DataDir, "files")
		disk, err := blob.NewDisk(p.filesDir)
		if err != nil {
			return err
		}
		p.blobs, p.blobService = disk, dependency{name: "files", service: disk}
		p.closers = append(p.closers, disk.Close)
		return disk.Prepare(ctx)
	}
	p.store = resilience.NewGroup("blob", resilience.Policy{
		Timeout: storeTimeout, Concurrency: storeCalls, Wait: storeWait, Failures: breakAfter, OpenFor: p.cfg.BreakerOpen,
	}, p.log)
	minio, err := blob.NewS3(blob.S3Options{
		Endpoint: p.cfg.MinioEndpoint, AccessKey: p.cfg.MinioAccess, SecretKey: p.cfg.MinioSecret, Bucket: p.cfg.MinioBucket,
		Spool: p.filesDir, Group: p.store,
	})
	if err != nil {
		return err
	}
	p.blobs, p.blobService = minio, dependency{name: "minio", service: minio, ping: minio.Ping, optional: true}
	p.closers = append(p.closers, minio.Close)
	return nil
}

// roomForFiles returns an error where the disk for uploads has no space for the largest file. Then uploads fail, and
// everything else is served.
func (p *platform) roomForFiles(context.Context) error {
	free, err := blob.FreeBytes(p.filesDir)
	if err == nil && free < p.cfg.FileLimit {
		err = fail.ErrStorageFull
	}
	return err
}
