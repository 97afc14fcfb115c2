package app

import (
	"context"
	"path/filepath"
	"time"

	"github.com/parley/parley/platform/blob"
	"github.com/parley/parley/platform/fail"
	"github.com/parley/parley/platform/resilience"
)

// Bounds of the calls to MinIO: each is for a part of a file at the most.
const (
	storeTimeout = 30 * time.Second
	storeCalls   = 64 // at once
	storeWait    = 5 * time.Second
)

// openBlobs chooses where the bytes of files are kept. A MinIO that is away is no reason not to start.
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

// roomForFiles fails where the disk that uploads are written to has no room for the largest file. Then uploads fail, and all
// else is served.
func (p *platform) roomForFiles(context.Context) error {
	free, err := blob.FreeBytes(p.filesDir)
	if err == nil && free < p.cfg.FileLimit {
		err = fail.ErrStorageFull
	}
	return err
}
