// Package qdranttest provides tests with a Qdrant server, the one of TEST_QDRANT_URL. If there is none, the test is
// skipped, by name.
package qdranttest

import (
	"os"
	"testing"
)

// URL returns the URL of the server, for a QDRANT_URL.
func URL(t testing.TB) string {
	t.Helper()
	address := os.Getenv("TEST_QDRANT_URL") //nolint:forbidigo // a setting of the tests, not of the program
	if address == "" {
		t.Skip("TEST_QDRANT_URL is not set: it should be http://host:port of a Qdrant's gRPC")
	}
	return address
}
