package embedded

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheServersMemoryIsThatOfTheMachineOrOfItsContainer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"unknown":     {nil, []string{"shared_buffers=128MB"}},
		"small":       {map[string]string{"proc/meminfo": "MemTotal:  524288 kB\n"}, []string{"shared_buffers=128MB", "effective_cache_size=256MB"}},
		"machine":     {map[string]string{"proc/meminfo": "X: 1 kB\nMemTotal:       8388608 kB\n"}, []string{"shared_buffers=1024MB", "effective_cache_size=4096MB"}},
		"large":       {map[string]string{"proc/meminfo": "MemTotal: 268435456 kB\n"}, []string{"shared_buffers=2048MB", "effective_cache_size=131072MB"}},
		"no limit":    {map[string]string{"proc/meminfo": "MemTotal: 8388608 kB\n", "sys/fs/cgroup/memory.max": "max\n"}, []string{"shared_buffers=1024MB", "effective_cache_size=4096MB"}},
		"container":   {map[string]string{"proc/meminfo": "MemTotal: 8388608 kB\n", "sys/fs/cgroup/memory.max": "2147483648\n"}, []string{"shared_buffers=256MB", "effective_cache_size=1024MB"}},
		"cgroup v1":   {map[string]string{"proc/meminfo": "MemTotal: 8388608 kB\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "4294967296\n"}, []string{"shared_buffers=512MB", "effective_cache_size=2048MB"}},
		"v1 no limit": {map[string]string{"proc/meminfo": "MemTotal: 8388608 kB\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, []string{"shared_buffers=1024MB", "effective_cache_size=4096MB"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for file, text := range test.files {
				require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o700))
				require.NoError(t, os.WriteFile(filepath.Join(root, file), []byte(text), 0o600))
			}
			require.Equal(t, test.want, memorySettings(memoryLimit(root)))
		})
	}
}

func TestASettingThatIsGivenHolds(t *testing.T) {
	t.Parallel()
	arguments := serverArguments("data", "sockets", Options{Settings: []string{"shared_buffers=64MB"}})
	require.Equal(t, "shared_buffers=64MB", arguments[len(arguments)-1])
}
