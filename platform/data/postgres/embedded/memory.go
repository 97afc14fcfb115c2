package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

const (
	megabyte = 1 << 20

	minBuffers = 128 * megabyte // PostgreSQL's own default
	maxBuffers = 2 << 30        // beyond this the system's cache does as well
)

// memorySettings are those that depend on how much memory there is, in bytes; 0: it is not known. The server shares it with
// the program and with the system's cache, so its own buffers are an eighth; memory that they do not use is not taken.
func memorySettings(memory int64) []string {
	buffers := min(max(memory/8, minBuffers), maxBuffers)
	settings := []string{fmt.Sprintf("shared_buffers=%dMB", buffers/megabyte)}
	if memory > 0 {
		settings = append(settings, fmt.Sprintf("effective_cache_size=%dMB", max(memory/2, minBuffers)/megabyte))
	}
	return settings
}

var memTotal = regexp.MustCompile(`(?m)^MemTotal:\s+(\d+) kB`)

// memoryLimit is how much memory this process may use, in bytes: that of the machine, or of its control group (cgroup v2, or v1)
// where that is less. 0: it is not known, as on other systems than Linux. Root is that of the file system.
func memoryLimit(root string) int64 {
	text, _ := os.ReadFile(filepath.Join(root, "proc/meminfo"))
	found := memTotal.FindSubmatch(text)
	if found == nil {
		return 0
	}
	kilobytes, _ := strconv.ParseInt(string(found[1]), 10, 64)
	limit := kilobytes << 10
	for _, file := range []string{"sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, _ := os.ReadFile(filepath.Join(root, file))
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 { // "max" is no limit
			limit = min(limit, n)
		}
	}
	return limit
}
