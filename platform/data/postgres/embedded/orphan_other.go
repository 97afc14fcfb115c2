//go:build !linux

package embedded

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// livingServers lists the leading postgres processes that were started on
// data. Without /proc their backends are not seen; Postgres itself refuses to
// start while such a backend still holds its shared memory.
func livingServers(data string) ([]int, error) {
	output, err := exec.Command("/bin/ps", "-axww", "-o", "pid=,stat=,command=").Output()
	if err != nil {
		return nil, fmt.Errorf("ps: %w", err)
	}
	var living []int
	for line := range strings.Lines(string(output)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || strings.HasPrefix(fields[1], "Z") || !strings.Contains(line, "/postgres -D "+data+" ") {
			continue
		}
		if pid, err := strconv.Atoi(fields[0]); err == nil {
			living = append(living, pid)
		}
	}
	return living, nil
}
