package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/resilience"
)

// S3 stores bytes in a bucket of MinIO or another S3 server.
type S3 struct {
	client minio.Core
	bucket string
	spool  string
	idle   func()
}

// S3Options say where the bucket is.
type S3Options struct {
	Endpoint             string // http(s)://host:port
	AccessKey, SecretKey string
	Bucket               string
	// Spool is a folder for content before it is sent to the bucket. A slow sender therefore does not look like a slow
	// bucket.
	Spool string
	Group *resilience.Group // every request goes through it
}

// partSize is how much goes out in one request, which has the deadline of the Group.
const partSize = 8 << 20 // bytes

// region is what the signatures say: MinIO does not care, and naming one saves asking for it.
const region = "us-east-1"

// NewS3 returns an S3. It makes no request, so that an unavailable server does not prevent the start of the program.
func NewS3(o S3Options) (*S3, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("read the address of the store: %w", err)
	}
	if err := os.MkdirAll(o.Spool, folderMode); err != nil {
		return nil, fmt.Errorf("make the folder for files on their way: %w", err)
	}
	secure := u.Scheme == "https"
	transport, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, fmt.Errorf("prepare calls to the store: %w", err)
	}
	client, err := minio.New(u.Host, &minio.Options{
		Creds:        credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""),
		Secure:       secure,
		Region:       region,
		BucketLookup: minio.BucketLookupPath,
		Transport:    &guard{base: transport, group: o.Group, target: u.Host},
		MaxRetries:   1, // it would ask again a target whose breaker is open
	})
	if err != nil {
		return nil, fmt.Errorf("make a client of the store: %w", err)
	}
	return &S3{client: minio.Core{Client: client}, bucket: o.Bucket, spool: o.Spool, idle: transport.CloseIdleConnections}, nil
}

// Close closes idle connections.
func (s *S3) Close() error {
	s.idle()
	return nil
}

// prepareTries is how often Prepare asks. A server in the middle of creating the same bucket for another process answers
// 500 for some milliseconds (versitygw 1.8 does), and a bucket that another made is as good as one's own.
const prepareTries = 5

// Prepare creates the bucket if it does not exist. It may be called concurrently.
func (s *S3) Prepare(ctx context.Context) error {
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := s.makeBucket(ctx)
		if minio.ToErrorResponse(err).StatusCode < http.StatusInternalServerError {
			err = backoff.Permanent(err) // that it did, or an answer that another try would not change, or none at all
		}
		return struct{}{}, err
	}, backoff.WithMaxTries(prepareTries), backoff.WithBackOff(&backoff.ExponentialBackOff{
		InitialInterval: 50 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: time.Second,
	}))
	return translate(err)
}

func (s *S3) makeBucket(ctx context.Context) error {
	if exists, err := s.client.BucketExists(ctx, s.bucket); err != nil || exists {
		return err
	}
	err := s.client.MakeBucket(ctx, s.bucket, minio.MakeBucketOptions{Region: region})
	if code := minio.ToErrorResponse(err).Code; code == minio.BucketAlreadyOwnedByYou || code == minio.BucketAlreadyExists {
		if exists, err := s.client.BucketExists(ctx, s.bucket); err != nil || exists { // another was quicker
			return err
		}
	}
	return err
}

// Check writes, reads and deletes an object.
func (s *S3) Check(ctx context.Context) error { return try(ctx, s) }

// Ping requests the bucket and returns an error if the server does not answer.
func (s *S3) Ping(ctx context.Context) error {
	exists, err := s.client.BucketExists(ctx, s.bucket)
	if err == nil && !exists {
		err = fail.ErrUnavailable.Because(errors.New("there is no such bucket"))
	}
	return translate(err)
}

// Put writes the whole content to the spool first. The bucket therefore receives complete content of a known length.
func (s *S3) Put(ctx context.Context, key string, content io.Reader) (size int64, err error) {
	if err := checkKey(key); err != nil {
		return 0, err
	}
	defer func() { err = storageFull(err) }() // of the spool
	file, err := os.CreateTemp(s.spool, "")
	if err != nil {
		return 0, fmt.Errorf("make a file for what is on its way: %w", err)
	}
	defer file.Close()
	if err := os.Remove(file.Name()); err != nil { // it lives until it is closed, and is gone with the process too
		return 0, fmt.Errorf("hide the file of what is on its way: %w", err)
	}
	if size, err = io.Copy(file, reader{ctx, content}); err != nil {
		return 0, fmt.Errorf("spool what is on its way: %w", err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return 0, fmt.Errorf("read what is on its way: %w", err)
	}
	_, err = s.client.Client.PutObject(ctx, s.bucket, key, file, size, minio.PutObjectOptions{
		PartSize: partSize, NumThreads: 2, ContentType: "application/octet-stream",
	})
	if err != nil {
		return 0, translate(err)
	}
	return size, nil
}

func (s *S3) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if length == 0 {
		return http.NoBody, nil // of nothing there is no range
	}
	var o minio.GetObjectOptions
	switch {
	case length > 0:
		if err := o.SetRange(offset, offset+length-1); err != nil {
			return nil, fmt.Errorf("name the range: %w", err)
		}
	case offset > 0:
		if err := o.SetRange(offset, 0); err != nil {
			return nil, fmt.Errorf("name the range: %w", err)
		}
	}
	content, _, _, err := s.client.GetObject(ctx, s.bucket, key, o)
	if minio.ToErrorResponse(err).Code == minio.InvalidRange {
		return http.NoBody, nil // behind the end there is nothing
	}
	if err != nil {
		return nil, translate(err)
	}
	return content, nil
}

func (s *S3) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	err := translate(s.client.RemoveObject(ctx, s.bucket, key, minio.RemoveObjectOptions{}))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func (s *S3) List(ctx context.Context, prefix, after string, most int) ([]Object, error) {
	var found []Object
	for o := range s.client.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{
		Prefix: prefix, Recursive: true, StartAfter: after, MaxKeys: most,
	}) {
		if o.Err != nil {
			return nil, translate(o.Err)
		}
		if strings.HasSuffix(o.Key, "/") {
			continue // a folder, which some stores list
		}
		found = append(found, Object{Key: o.Key, Size: o.Size, StoredAt: o.LastModified})
		if len(found) >= most {
			break
		}
	}
	return found, nil
}

// translate makes our errors of the client's. What the store says of us, such as that the keys are wrong, is as bad as
// if it were away: callers can do nothing about either.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case minio.ToErrorResponse(err).Code == minio.NoSuchKey:
		return ErrNotFound
	}
	if answer := minio.ToErrorResponse(err); answer.StatusCode == http.StatusInsufficientStorage || answer.Code == "XMinioStorageFull" {
		return fail.ErrStorageFull.Because(err)
	}
	if e, ok := errors.AsType[*fail.Error](err); ok { // a refusal, which knows when to come again
		return e.Because(err)
	}
	return fail.ErrUnavailable.Because(err)
}
