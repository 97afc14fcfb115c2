package bots

import (
	"os"
	"testing"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Run(m)) }
