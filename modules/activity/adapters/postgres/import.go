package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/parley/parley/db/activitydb"
	"github.com/parley/parley/modules/activity/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// Import stores the rows of an archive, in the transaction of the context.
type Import struct {
	DB    *postgres.DB
	Quota *usage.Quota
	Audit *audit.Log
	Now   func() time.Time
}

var _ ports.Import = Import{}

func (s Import) Begin(ctx context.Context, name string, owner uuid.UUID) error {
	q, workspace := activitydb.New(s.DB.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
	now := s.Now()
	return errors.Join(
		q.ImportWorkspace(ctx, activitydb.ImportWorkspaceParams{ID: workspace, Name: name, Moment: now}),
		q.ImportOwner(ctx, activitydb.ImportOwnerParams{WorkspaceID: workspace, UserID: owner, Moment: now}),
		s.DB.Flush(ctx),
	)
}

// statements returns the statement that stores the rows of each kind.
func statements() map[string]string {
	return map[string]string{
		"knowledge_bases": activitydb.ImportKnowledgeBases,
		"files":           activitydb.ImportFiles,
		"documents":       activitydb.ImportDocuments,
		"document_texts":  activitydb.ImportDocumentTexts,
		"tools":           activitydb.ImportTools,
		"tool_versions":   activitydb.ImportToolVersions,
		"bots":            activitydb.ImportBots,
		"bot_versions":    activitydb.ImportBotVersions,
		"bot_history":     activitydb.ImportBotHistory,
		"end_users":       activitydb.ImportEndUsers,
		"threads":         activitydb.ImportThreads,
		"turns":           activitydb.ImportTurns,
		"tool_calls":      activitydb.ImportToolCalls,
		"messages":        activitydb.ImportMessages,
		"feedback":        activitydb.ImportFeedback,
	}
}

func (s Import) Rows(ctx context.Context, kind string, rows []json.RawMessage) error {
	workspace := callctx.From(ctx).Principal.WorkspaceID
	list := slicesOf(rows)
	if kind == "model_settings" {
		q := activitydb.New(s.DB.In(ctx))
		return s.flush(ctx, q.ImportModelSettings(ctx, activitydb.ImportModelSettingsParams{WorkspaceID: workspace, Rows: list, Moment: s.Now()}))
	}
	statement, ok := statements()[kind]
	if !ok {
		return fmt.Errorf("postgres: no statement stores rows of %s", kind)
	}
	_, err := s.DB.In(ctx).Exec(ctx, statement, workspace, list)
	if err = s.flush(ctx, err); kind == "threads" && errors.Is(err, fail.ErrUnauthorized) { // as for an end user who is deleted meanwhile
		return fmt.Errorf("%w: threads name an end user that is not there", ports.ErrArchive)
	}
	return err
}

func slicesOf(rows []json.RawMessage) json.RawMessage {
	raw := make([][]byte, len(rows))
	for i, row := range rows {
		raw[i] = row
	}
	return append(append([]byte{'['}, bytes.Join(raw, []byte{','})...), ']')
}

func (s Import) End(ctx context.Context, bytes int64, changes map[string]any) error {
	q, workspace := activitydb.New(s.DB.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
	if err := s.flush(ctx, q.CheckImported(ctx)); err != nil {
		return err
	}
	behind, err := q.CountThreadsBehind(ctx, workspace)
	if err != nil {
		return fmt.Errorf("check the threads: %w", err)
	}
	if behind > 0 {
		return fmt.Errorf("%w: %d threads have messages with higher numbers than they know", ports.ErrArchive, behind)
	}
	if err := s.Quota.Add(ctx, usage.Storage, bytes); err != nil {
		return err
	}
	if err := s.checkLimits(ctx); err != nil {
		return err
	}
	return s.Audit.Record(ctx, audit.Entry{Action: "workspace.import", Resource: "workspace", ResourceID: workspace, Changes: changes})
}

// checkLimits holds the workspace to the limits of what it may have at a time, once all of it is there.
func (s Import) checkLimits(ctx context.Context) error {
	list, err := s.Quota.Report(ctx, usage.Month(s.Now()))
	if err != nil {
		return err
	}
	for _, u := range list {
		if u.Limit != nil && u.Amount > *u.Limit {
			return fail.ErrLimitReached.With("metric", u.Metric).With("limit", *u.Limit).With("used", u.Amount).
				Because(fmt.Errorf("%d %s, and the limit of a workspace is %d", u.Amount, u.Metric, *u.Limit))
		}
	}
	return nil
}

// flush sends what is queued. A constraint that rows break is a mistake of the archive.
func (s Import) flush(ctx context.Context, err error) error {
	if err = errors.Join(err, s.DB.Flush(ctx)); err == nil {
		return nil
	}
	const integrityViolation, dataException = "23", "22"
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && (e.Code[:2] == integrityViolation || e.Code[:2] == dataException) {
		return fmt.Errorf("%w: rows break the rule %s: %s", ports.ErrArchive, e.ConstraintName, e.Message)
	}
	return err
}
