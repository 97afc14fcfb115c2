package embedded

import (
	"os"
	"path/filepath"
	"strings"
)

// Running gives the URL of a database of the server that runs in the folder dir, whoever started it: for one who was told
// ErrInUse and only wants to talk to it. It may be stopped at any time. ok is false while it is not ready.
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

// Nowhere is the URL of a database that is not there, for what has to be told so: the folder dir could have been its.
func Nowhere(dir, database string) string {
	return socketURL(filepath.Join(dir, "socket"), database)
}
