package audit_test

import (
	"os"
	"testing"

	"github.com/parley/parley/platform/pgtest"
	"github.com/parley/parley/platform/secret"
)

var pg pgtest.Server

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

// keysOf makes keys of the same id.
func keysOf(key []byte) secret.Keys { return secret.Keys{{ID: secret.KeyID{1}, Bytes: key}} }
