package app

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"syscall"

	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/request/gateway"
)

const (
	maxDescriptors = 1 << 20 // counted with, where there is no limit
	// ownDescriptors are those of the process itself: standard streams, listeners, epoll, folders, pipes of the embedded
	// database, connections for notifications and migrations, METRICS_ADDR.
	ownDescriptors  = 20 + operatorConnections + 2*gateway.RefusalDescriptors
	fileDescriptors = 64 // files that are being uploaded or sent
	minConnections  = 16
)

// descriptors is how the open files of a process are divided.
type descriptors struct {
	limit       int // of the process
	outgoing    int // reserved for calls to models, webhook targets and services, and for files
	wanted      int // how many all allowed concurrent calls and files would need
	connections int // of clients
}

// shareDescriptors divides a limit of open files. The process and its database have what they need; outgoing calls and
// files have at most half of the rest; connections of clients have what is left.
func shareDescriptors(limit int, cfg *config.Config) (descriptors, error) {
	needed := ownDescriptors + int(cfg.Connections())
	wanted := fileDescriptors + cfg.ModelAtOnce + storeCalls
	if cfg.Workers > 0 {
		wanted += cfg.Deliveries + cfg.Answers
	}
	if cfg.RedisURL != "" {
		wanted += 10 * runtime.GOMAXPROCS(0)
	}
	d := descriptors{limit: limit, wanted: wanted, outgoing: min(wanted, (limit-needed)/2)}
	d.connections = limit - needed - d.outgoing
	if d.connections < minConnections {
		return d, fmt.Errorf("the limit of open files is %d: it should be at least %d (ulimit -n, LimitNOFILE of systemd, ulimits of compose)",
			limit, needed+2*minConnections)
	}
	return d, nil
}

// connectionLimit returns how many client connections are allowed. The Go runtime has already raised the soft limit of
// open files to the hard limit.
func connectionLimit(ctx context.Context, cfg *config.Config, log *slog.Logger) (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("ask for the limit of open files: %w", err)
	}
	d, err := shareDescriptors(int(min(limit.Cur, maxDescriptors)), cfg)
	if err != nil {
		return 0, err
	}
	level := slog.LevelInfo
	if d.outgoing < d.wanted {
		level = slog.LevelWarn
	}
	log.Log(ctx, level, "open files", "limit", d.limit, "connections", d.connections, "outgoing", d.outgoing, "outgoing_wanted", d.wanted)
	return d.connections, nil
}
