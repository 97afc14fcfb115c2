package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrInUse says that a running process uses the folder. The error that Start returns wraps it and names the folder and,
// if known, the process.
var ErrInUse = errors.New("another parley already uses this data folder")

// folderLock is a lock that the kernel drops when this process ends, however
// it ends.
type folderLock struct {
	file *os.File
	once sync.Once
}

// takeLock takes the folder's lock without waiting.
func takeLock(dir string) (*folderLock, error) {
	path := filepath.Join(dir, "lock")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the data folder (does it belong to another user? then start parley as that user or choose another DATA_DIR): %w", err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		defer file.Close()
		return nil, inUse(dir, file)
	}
	if err == nil {
		err = writePid(file)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("cannot lock the data folder with %s: %w", path, err)
	}
	return &folderLock{file: file}, nil
}

// release may be called more than once, and for a server that runs under the lock of somebody else, nil. It unlocks before it closes: a child
// that is just being made may hold a copy of the file for a moment.
func (l *folderLock) release() {
	if l == nil {
		return
	}
	l.once.Do(func() {
		_ = unix.Flock(int(l.file.Fd()), unix.LOCK_UN)
		_ = l.file.Close()
	})
}

func inUse(dir string, file *os.File) error {
	content, err := io.ReadAll(io.LimitReader(file, 32))
	if err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(content))); err == nil {
			return fmt.Errorf("%w: %s is held by process %d: stop it or choose another DATA_DIR", ErrInUse, dir, pid)
		}
	}
	return fmt.Errorf("%w: %s: stop it or choose another DATA_DIR", ErrInUse, dir)
}

func writePid(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}
