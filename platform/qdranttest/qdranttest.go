// Package qdranttest gives tests a Qdrant: that of TEST_QDRANT_URL. Where none is named, the test is skipped, by name.
package qdranttest

import (
	"os"
	"testing"
)

// URL names it, for a QDRANT_URL.
func URL(t testing.TB) string {
	t.Helper()
	address := os.Getenv("TEST_QDRANT_URL") //nolint:forbidigo // a setting of the tests, not of the program
	if address == "" {
		t.Skip("TEST_QDRANT_URL is not set: it should be http://host:port of a Qdrant's gRPC")
	}
	return address
}
