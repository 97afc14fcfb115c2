package blob

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/parley/parley/platform/request/fail"
)

// storageFull returns fail.ErrStorageFull for an error of a disk, or of a quota, that has no room; any other error as it is.
func storageFull(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fail.ErrStorageFull.Because(err)
	}
	return err
}

// FreeBytes returns how many bytes may still be written to the disk of a folder; 0 if the disk cannot hold more files.
func FreeBytes(dir string) (int64, error) {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return 0, fmt.Errorf("ask for the room of a disk: %w", err)
	}
	if disk.Files > 0 && disk.Ffree == 0 {
		return 0, nil
	}
	return int64(disk.Bavail) * int64(disk.Bsize), nil //nolint:unconvert // of other types elsewhere
}
