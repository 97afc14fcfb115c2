package embedded

import (
	"os"
	"path/filepath"
	"strings"
)

// Running returns the URL of a database of the server that runs in the folder dir, whoever started it. It is for a
// caller that received ErrInUse and only needs a connection. The server may be stopped at any time. ok is false while
// it is not ready.
func Running(dir, database string) (url string, ok bool) {
	content, err := os.ReadFile(filepath.Join(dir, "data", pidFile))
	if err != nil {
		return "", false
	}
	// Its lines: pid, data folder, start, port, socket folder, address, shared memory, status.
	lines := strings.Split(string(content), "\n")
	if len(lines) < 8 || strings.TrimSpace(lines[7]) != "ready" {
		return "", false
	}
	return socketURL(strings.TrimSpace(lines[4]), database), true
}

// Nowhere returns the URL of a database that does not exist, as if its server ran in the folder dir. It is for code
// that must be given a URL although there is no database.
func Nowhere(dir, database string) string {
	return socketURL(filepath.Join(dir, "socket"), database)
}
