package app

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/parley/parley/platform/data/blob"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/ops/keystore"
	"github.com/parley/parley/platform/work/background"
)

// auditTimeout is how long one run over the audit logs may take.
const auditTimeout = 10 * time.Minute

// auditTasks seal the audit logs, and write their heads to the anchor if there is one.
func auditTasks(interval time.Duration, sealer *audit.Sealer, anchor *audit.Anchor, log *slog.Logger) []background.Task {
	tasks := []background.Task{{Name: "seal the audit log", Every: interval, Timeout: auditTimeout, Do: sealer.Seal}}
	if anchor != nil {
		tasks = append(tasks, background.Task{
			Name: "anchor the audit log", Every: interval, Timeout: auditTimeout, Do: audit.NewAnchoring(sealer, log).Run,
		})
	}
	return tasks
}

// newSealer makes the sealer of audit logs. anchor may be nil.
func newSealer(db *postgres.DB, keys keyset, anchor *audit.Anchor) *audit.Sealer {
	s := audit.NewSealer(db, keys.Keys(keystore.AuditSeals), keys.retired[keystore.AuditSeals])
	s.Anchored(anchor)
	return s
}

// openAnchor opens what AUDIT_ANCHOR names; nil: there is none. files is the store of files.
func openAnchor(cfg *config.Config, files blob.Store, closing *closers) (*audit.Anchor, error) {
	folder := cfg.AuditAnchor
	switch cfg.AuditAnchor {
	case "none":
		return nil, nil //nolint:nilnil // there is no anchor, which is no error
	case "files":
		return audit.NewAnchor(files, "files"), nil
	case "":
		if cfg.DatabaseURL != "" { // there may be processes that do not share a folder
			return nil, nil //nolint:nilnil // as above
		}
		folder = filepath.Join(cfg.DataDir, "audit-anchor")
	}
	disk, err := blob.NewDisk(folder)
	if err != nil {
		return nil, fmt.Errorf("AUDIT_ANCHOR: should be files, none, or a folder that can be made and written: %w", err)
	}
	closing.push(disk.Close)
	return audit.NewAnchor(disk, "folder"), nil
}
