package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/activitydb"
	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
)

// snapshotTimeout is how long the rows of a workspace may be read and written, while vacuum waits for it.
const snapshotTimeout = 20 * time.Minute

// Snapshot reads all rows of a workspace that an export has, in one transaction.
type Snapshot struct{ DB *postgres.DB }

var _ ports.Snapshot = Snapshot{}

// kind is a kind of rows with the statement that reads them.
type kind struct{ name, statement string }

// kinds returns all kinds. A row comes after those that it refers to.
func kinds() []kind {
	return []kind{
		{"workspace", activitydb.SnapshotWorkspace},
		{"members", activitydb.SnapshotMembers},
		{"invitations", activitydb.SnapshotInvitations},
		{"limits", activitydb.SnapshotLimits},
		{"usage", activitydb.SnapshotUsage},
		{"model_settings", activitydb.SnapshotModelSettings},
		{"model_keys", activitydb.SnapshotModelKeys},
		{"embedding_keys", activitydb.SnapshotEmbeddingKeys},
		{"knowledge_bases", activitydb.SnapshotKnowledgeBases},
		{"files", activitydb.SnapshotFiles},
		{"documents", activitydb.SnapshotDocuments},
		{"document_texts", activitydb.SnapshotDocumentTexts},
		{"tools", activitydb.SnapshotTools},
		{"tool_versions", activitydb.SnapshotToolVersions},
		{"bots", activitydb.SnapshotBots},
		{"bot_versions", activitydb.SnapshotBotVersions},
		{"bot_history", activitydb.SnapshotBotHistory},
		{"webhook_endpoints", activitydb.SnapshotWebhookEndpoints},
		{"webhook_subscriptions", activitydb.SnapshotWebhookSubscriptions},
		{"end_users", activitydb.SnapshotEndUsers},
		{"threads", activitydb.SnapshotThreads},
		{"turns", activitydb.SnapshotTurns},
		{"tool_calls", activitydb.SnapshotToolCalls},
		{"messages", activitydb.SnapshotMessages},
		{"feedback", activitydb.SnapshotFeedback},
		{"audit_log", activitydb.SnapshotAuditLog},
	}
}

func (s Snapshot) Read(ctx context.Context, each func(kind string, rows ports.Rows) error) (at time.Time, files []ports.FileBytes, err error) {
	workspace := callctx.From(ctx).Principal.WorkspaceID
	err = s.DB.Snapshot(ctx, snapshotTimeout, func(ctx context.Context) error {
		q := activitydb.New(s.DB.In(ctx))
		if at, err = q.SnapshotTime(ctx); err != nil {
			return err
		}
		for _, k := range kinds() {
			if err := each(k.name, s.rows(ctx, k.statement, workspace)); err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
		}
		list, err := q.SnapshotFileBytes(ctx, activitydb.SnapshotFileBytesParams{WorkspaceID: workspace, MaxRows: domain.MaxExportFiles + 1})
		if err != nil {
			return fmt.Errorf("list the files: %w", err)
		}
		if len(list) > domain.MaxExportFiles {
			return ports.ErrArchiveTooLarge
		}
		for _, f := range list {
			files = append(files, ports.FileBytes{ID: f.ID, Size: f.Size, SHA256: [32]byte(f.Sha256)})
		}
		return nil
	})
	return at, files, err
}

// rows reads the rows of a statement one by one.
func (s Snapshot) rows(ctx context.Context, statement string, workspace uuid.UUID) ports.Rows {
	return func(yield func([]byte, error) bool) {
		rows, err := s.DB.In(ctx).Query(ctx, statement, workspace)
		if err != nil {
			yield(nil, err)
			return
		}
		defer rows.Close()
		var line []byte
		for rows.Next() {
			if err := rows.Scan(&line); err != nil {
				yield(nil, err)
				return
			}
			if !yield(line, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(nil, err)
		}
	}
}
