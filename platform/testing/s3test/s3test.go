// Package s3test provides tests with a real S3 server: that of TEST_MINIO_ENDPOINT, TEST_MINIO_ACCESS_KEY and
// TEST_MINIO_SECRET_KEY. If there is none, the test is skipped, by name.
package s3test

import (
	"os"
	"testing"

	"github.com/google/uuid"
)

// Server is an S3 server, and the name of a bucket of the test's own, which does not exist yet.
type Server struct{ Endpoint, AccessKey, SecretKey, Bucket string }

// Named returns the Server.
func Named(t testing.TB) Server {
	t.Helper()
	s := Server{
		Endpoint:  os.Getenv("TEST_MINIO_ENDPOINT"),   //nolint:forbidigo // a setting of the tests, not of the program
		AccessKey: os.Getenv("TEST_MINIO_ACCESS_KEY"), //nolint:forbidigo // the same
		SecretKey: os.Getenv("TEST_MINIO_SECRET_KEY"), //nolint:forbidigo // the same
		Bucket:    "test-" + uuid.NewString(),
	}
	if s.Endpoint == "" {
		t.Skip("TEST_MINIO_ENDPOINT, TEST_MINIO_ACCESS_KEY and TEST_MINIO_SECRET_KEY name no S3 to test with")
	}
	return s
}
