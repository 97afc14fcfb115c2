package embedded

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A socket's path has at most 107 bytes on Linux and 103 on macOS.
const longestSocketPath = 103

const socketFile = ".s.PGSQL.5432" // Postgres names it by its port

// makeFolder makes dir and what lacks above it, and returns its real path.
// What is made is for the server's user alone or, when that is not the user of
// this process, can be passed through by all.
func makeFolder(dir string, who account) (string, error) {
	if dir == "" {
		return "", errors.New("no folder for PostgreSQL was given: set DATA_DIR")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("the data folder has no full path: %w", err)
	}
	mode := fs.FileMode(0o700)
	if who.drop {
		mode = 0o711
	}
	if err := MakeFolder(dir, mode); err != nil {
		return "", fmt.Errorf("cannot make the data folder (choose another DATA_DIR?): %w", err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", fmt.Errorf("cannot resolve the data folder: %w", err)
	}
	return dir, who.reaches(dir)
}

// MakeFolder creates a folder and its missing parents, with a mode that the umask does not restrict.
func MakeFolder(dir string, mode fs.FileMode) error {
	info, err := os.Stat(dir)
	if err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is not a folder", dir)
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := MakeFolder(filepath.Dir(dir), mode); err != nil {
		return err
	}
	if err := os.Mkdir(dir, mode); errors.Is(err, fs.ErrExist) {
		return nil // somebody was quicker
	} else if err != nil {
		return err
	}
	return os.Chmod(dir, mode)
}

// makeSocketFolder makes an empty private folder for the server's socket: in
// dir or, where that path is too long for a socket, under the system's
// temporary folder by a name that follows from dir. No server may be alive.
func makeSocketFolder(dir string, who account) (string, error) {
	inside := filepath.Join(dir, "socket")
	if fitsSocket(inside) {
		if err := os.RemoveAll(inside); err != nil {
			return "", fmt.Errorf("cannot tidy the socket's folder: %w", err)
		}
		return inside, makePrivate(inside, who)
	}
	hash := sha256.Sum256([]byte(dir))
	name := "parley-" + hex.EncodeToString(hash[:8])
	for _, base := range []string{os.TempDir(), "/tmp"} {
		outside := filepath.Join(base, name)
		if !fitsSocket(outside) || who.reaches(base) != nil {
			continue
		}
		if err := makePrivate(outside, who); err != nil {
			return "", err
		}
		stale := filepath.Join(outside, socketFile)
		return outside, errors.Join(removeFile(stale), removeFile(stale+".lock"))
	}
	return "", fmt.Errorf("the path %s is too long for a unix socket, and no temporary folder serves instead: choose a shorter DATA_DIR", dir)
}

// fitsSocket says whether a socket in folder can be named to Postgres and to
// its clients: to both a comma ends a name, and pgx does not read a space that
// golang-migrate has encoded.
func fitsSocket(folder string) bool {
	return len(filepath.Join(folder, socketFile)) <= longestSocketPath &&
		filepath.IsAbs(folder) && !strings.ContainsAny(folder, ` ,"`)
}

// makePrivate makes a folder that only the server's user may enter. One that
// exists is taken only when it is exactly that: in a temporary folder it could
// be a stranger's, or a link to a stranger's.
func makePrivate(path string, who account) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("cannot make a private folder: %w", err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("cannot look at the private folder: %w", err)
	}
	owner := ownerOf(info)
	if !info.IsDir() || info.Mode().Perm() != 0o700 || owner != who.uid && owner != os.Geteuid() {
		return fmt.Errorf("%s is not a private folder of user %s (%v, owner %d): remove it", path, who.name, info.Mode(), owner)
	}
	if owner == who.uid {
		return nil
	}
	if err := os.Lchown(path, who.uid, who.gid); err != nil {
		return fmt.Errorf("cannot give the private folder to user %s: %w", who.name, err)
	}
	return nil
}

// giveTo makes root's server user the owner of all data, when another user
// ran the server before. It never leaves the folder through a link.
func giveTo(data string, who account) error {
	info, err := os.Stat(data)
	if err != nil {
		return fmt.Errorf("cannot look at the data folder: %w", err)
	}
	if !who.drop || ownerOf(info) == who.uid {
		return nil
	}
	root, err := os.OpenRoot(data)
	if err != nil {
		return fmt.Errorf("cannot open the data folder: %w", err)
	}
	defer func() { _ = root.Close() }()
	// The folder itself comes last: its owner marks that everything in it is done.
	give := func(name string, _ fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		return root.Lchown(name, who.uid, who.gid)
	}
	if err := fs.WalkDir(root.FS(), ".", give); err != nil {
		return fmt.Errorf("cannot give the data to user %s: %w", who.name, err)
	}
	if err := root.Lchown(".", who.uid, who.gid); err != nil {
		return fmt.Errorf("cannot give the data folder to user %s: %w", who.name, err)
	}
	return nil
}

func ownerOf(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}
