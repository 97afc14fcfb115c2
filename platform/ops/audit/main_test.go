package audit_test

import (
	"os"
	"testing"

	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/testing/pgtest"
)

var pg pgtest.Server

func TestMain(m *testing.M) {
	if url := os.Getenv(cutDatabase); url != "" {
		if err := cutUntilKilled(url); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(pg.Run(m))
}

// keysOf makes keys of the same id.
func keysOf(key []byte) secret.Keys { return secret.Keys{{ID: secret.KeyID{1}, Bytes: key}} }
