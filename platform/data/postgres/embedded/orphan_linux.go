package embedded

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// livingServers lists the postgres processes whose working folder is data.
// Zombies do not count. Processes of other containers are not seen.
func livingServers(data string) ([]int, error) {
	folder, err := os.Stat(data)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var living []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err == nil && worksIn(filepath.Join("/proc", entry.Name()), data, folder) {
			living = append(living, pid)
		}
	}
	return living, nil
}

func worksIn(process, data string, folder fs.FileInfo) bool {
	name, err := os.ReadFile(filepath.Join(process, "comm"))
	if err != nil || !slices.Contains([]string{"postgres", "postmaster"}, strings.TrimSpace(string(name))) {
		return false
	}
	cwd, err := os.Stat(filepath.Join(process, "cwd"))
	if errors.Is(err, fs.ErrPermission) {
		// Root in a container without SYS_PTRACE may not look; the arguments
		// of the leading process are open to all.
		arguments, _ := os.ReadFile(filepath.Join(process, "cmdline"))
		return bytes.Contains(arguments, []byte("\x00-D\x00"+data+"\x00"))
	}
	return err == nil && os.SameFile(cwd, folder)
}
