package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/parley/parley/platform/blob"
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
	if p.cfg.MinioEndpoint == "" {
		disk, err := blob.NewDisk(filepath.Join(p.cfg.DataDir, "files"))
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
		Spool: filepath.Join(p.cfg.DataDir, "spool"), Group: p.store,
	})
	if err != nil {
		return err
	}
	p.blobs, p.blobService = minio, dependency{name: "minio", service: minio, ping: minio.Ping, optional: true}
	p.closers = append(p.closers, minio.Close)
	return nil
}
