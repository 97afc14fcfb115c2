// Package foldertest makes folders for what the servers of tests store: in memory where there is room, since a database
// a test means hundreds of small files that nobody reads again.
package foldertest

import (
	"os"

	"golang.org/x/sys/unix"
)

const (
	memory = "/dev/shm" // tmpfs of Linux
	room   = 4 << 30    // bytes that have to be free there; a container has 64 MiB by default
)

// Make makes a folder that every user can pass through, as a server does not run as root. Whoever made it removes it.
func Make(pattern string) (string, error) {
	dir, err := os.MkdirTemp(parent(), pattern)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755) //nolint:gosec // see above
}

func parent() string {
	var fs unix.Statfs_t
	if unix.Statfs(memory, &fs) != nil || fs.Bavail*uint64(fs.Bsize) < room || unix.Access(memory, unix.W_OK) != nil {
		return os.TempDir()
	}
	return memory
}
