package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/botsdb"
	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/page"
)

// Tools stores tools and their versions. Its methods run in the transaction of the context, or in one of their own.
type Tools struct {
	DB    *postgres.DB
	Quota quota
}

var (
	_ ports.Tools      = Tools{}
	_ ports.ToolReader = Tools{}
	_ ports.ToolUses   = Tools{}
)

func (t Tools) queries(ctx context.Context) (*botsdb.Queries, uuid.UUID) {
	return botsdb.New(t.DB.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
}

func (t Tools) Create(ctx context.Context, tool domain.Tool, first domain.ToolVersion) error {
	q, workspace := t.queries(ctx)
	if err := t.Quota.Reserve(ctx, usage.Tools); err != nil {
		return err
	}
	err := q.CreateTool(ctx, botsdb.CreateToolParams{
		WorkspaceID: workspace, ID: tool.ID, Kind: string(tool.Kind), Name: tool.Name, CurrentVersion: int32(tool.CurrentVersion),
		CreatedBy: tool.CreatedBy, CreatedAt: tool.CreatedAt, UpdatedAt: tool.UpdatedAt,
	})
	if err == nil {
		err = t.createVersion(ctx, first)
	}
	if err == nil {
		err = t.DB.Flush(ctx) // or the name would be found to be taken only when the transaction ends
	}
	if postgres.Violates(err, "tools_name_key") {
		return ports.ErrToolNameTaken
	}
	if err != nil {
		return fmt.Errorf("create the tool: %w", err)
	}
	return nil
}

func (t Tools) createVersion(ctx context.Context, v domain.ToolVersion) error {
	q, workspace := t.queries(ctx)
	d := v.Definition
	return q.CreateToolVersion(ctx, botsdb.CreateToolVersionParams{
		WorkspaceID: workspace, ToolID: v.ToolID, Version: int32(v.Number), Description: d.Description, Schema: string(d.Schema), Effect: string(d.Effect),
		TimeoutMs: int32(d.Timeout.Milliseconds()), MaxOutputBytes: int32(d.MaxOutputBytes), URL: d.URL, Method: d.Method,
		IdempotencyHeader: d.IdempotencyHeader, RemoteName: d.RemoteName, DefinitionHash: d.DefinitionHash, Redact: append([]string{}, d.Redact...), Note: v.Note, CreatedBy: v.CreatedBy, CreatedAt: v.CreatedAt,
	})
}

func (t Tools) Get(ctx context.Context, id uuid.UUID) (domain.Tool, error) {
	q, workspace := botsdb.New(t.DB.InPipeline(ctx)), callctx.From(ctx).Principal.WorkspaceID
	row, err := q.GetTool(ctx, botsdb.GetToolParams{WorkspaceID: workspace, ID: id})
	if postgres.IsMissing(err) {
		return domain.Tool{}, ports.ErrToolNotFound
	}
	if err != nil {
		return domain.Tool{}, fmt.Errorf("read the tool: %w", err)
	}
	tool := toTool(row.Tool)
	tool.Definition = toToolVersion(row.ToolVersion, row.Tool.Kind, row.Tool.Name).Definition
	if row.CredentialsType != nil {
		tool.Credentials = &domain.SetCredentials{Type: domain.CredentialsType(*row.CredentialsType), Origin: *row.CredentialsOrigin, At: *row.CredentialsAt}
	}
	tool.Review = toReview(row)
	return tool, nil
}

func (t Tools) Lock(ctx context.Context, id uuid.UUID) (domain.Tool, error) {
	q, workspace := t.queries(ctx)
	if err := q.LockTool(ctx, botsdb.LockToolParams{WorkspaceID: workspace, ID: id}); err != nil {
		return domain.Tool{}, fmt.Errorf("lock the tool: %w", err)
	}
	return t.Get(ctx, id)
}

func (t Tools) Save(ctx context.Context, tool domain.Tool, v domain.ToolVersion) error {
	q, workspace := t.queries(ctx)
	if err := t.createVersion(ctx, v); err != nil {
		return fmt.Errorf("create the version of the tool: %w", err)
	}
	err := q.SaveTool(ctx, botsdb.SaveToolParams{WorkspaceID: workspace, ID: tool.ID, CurrentVersion: int32(tool.CurrentVersion), UpdatedAt: tool.UpdatedAt})
	if err != nil {
		return fmt.Errorf("save the tool: %w", err)
	}
	return nil
}

func (t Tools) Delete(ctx context.Context, id uuid.UUID) error {
	q, workspace := t.queries(ctx)
	if err := q.DeleteTool(ctx, botsdb.DeleteToolParams{WorkspaceID: workspace, ID: id}); err != nil {
		return fmt.Errorf("delete the tool: %w", err)
	}
	return nil
}

func (t Tools) List(ctx context.Context, f ports.ToolFilter, before *uuid.UUID, limit int) ([]domain.Tool, error) {
	rows, err := botsdb.New(t.DB.InList(ctx)).ListTools(ctx, botsdb.ListToolsParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, NamePart: f.NamePart, Kind: (*string)(f.Kind), Review: (*string)(f.Review), Before: before, Count: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list the tools: %w", err)
	}
	return page.Map(rows, func(row botsdb.ListToolsRow) domain.Tool {
		tool := toTool(row.Tool)
		tool.Definition = domain.ToolDefinition{
			Description: row.Description, Effect: domain.Effect(row.Effect), Timeout: milliseconds(row.TimeoutMs), MaxOutputBytes: int(row.MaxOutputBytes),
			URL: row.URL, Method: row.Method, IdempotencyHeader: row.IdempotencyHeader, RemoteName: row.RemoteName,
		}
		if row.ReviewStatus != nil {
			tool.Review = &domain.ToolReview{ToolID: tool.ID, Status: domain.ReviewStatus(*row.ReviewStatus)}
		}
		return tool
	}), nil
}

func (t Tools) Versions(ctx context.Context, tool uuid.UUID, after *ports.VersionPosition, limit int) ([]domain.ToolVersion, error) {
	q, workspace := t.queries(ctx)
	params := botsdb.ListToolVersionsParams{WorkspaceID: workspace, ToolID: tool, Count: int32(limit)}
	if after != nil {
		before := int32(after.Number)
		params.Before = &before
	}
	rows, err := q.ListToolVersions(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list the versions of the tool: %w", err)
	}
	if len(rows) == 0 && after == nil { // every tool has a version
		return nil, ports.ErrToolNotFound
	}
	return page.Map(rows, func(row botsdb.ListToolVersionsRow) domain.ToolVersion {
		return toToolVersion(row.ToolVersion, row.Kind, row.Name)
	}), nil
}

func (t Tools) Pin(ctx context.Context, refs []domain.ToolRef) ([]domain.ToolVersion, error) {
	raw, err := json.Marshal(refs)
	if err != nil {
		return nil, fmt.Errorf("encode the tools that are read: %w", err)
	}
	rows, err := botsdb.New(t.DB.InPipeline(ctx)).PinTools(ctx, botsdb.PinToolsParams{WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Refs: raw})
	if err != nil {
		return nil, fmt.Errorf("read the versions of tools: %w", err)
	}
	position := func(row botsdb.PinToolsRow) int {
		return slices.IndexFunc(refs, func(r domain.ToolRef) bool { return r.ID == row.ToolVersion.ToolID })
	}
	slices.SortStableFunc(rows, func(a, b botsdb.PinToolsRow) int { return position(a) - position(b) })
	return page.Map(rows, func(row botsdb.PinToolsRow) domain.ToolVersion {
		v := toToolVersion(row.ToolVersion, row.Kind, row.Name)
		if row.CredentialsType != nil {
			v.Credentials = &domain.SetCredentials{Type: domain.CredentialsType(*row.CredentialsType), Origin: *row.CredentialsOrigin, Sealed: row.CredentialsSealed}
		}
		return v
	}), nil
}

func toTool(row botsdb.Tool) domain.Tool {
	return domain.Tool{
		ID: row.ID, WorkspaceID: row.WorkspaceID, Kind: domain.ToolKind(row.Kind), Name: row.Name, CurrentVersion: int(row.CurrentVersion),
		CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
	}
}

func toToolVersion(row botsdb.ToolVersion, kind, name string) domain.ToolVersion {
	return domain.ToolVersion{
		ToolID: row.ToolID, Number: int(row.Version), Kind: domain.ToolKind(kind), Name: name, Note: row.Note, CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt,
		Definition: domain.ToolDefinition{
			Description: row.Description, Schema: json.RawMessage(row.Schema), Effect: domain.Effect(row.Effect), Timeout: milliseconds(row.TimeoutMs),
			MaxOutputBytes: int(row.MaxOutputBytes), URL: row.URL, Method: row.Method, IdempotencyHeader: row.IdempotencyHeader, RemoteName: row.RemoteName,
			DefinitionHash: row.DefinitionHash, Redact: row.Redact,
		},
	}
}

func milliseconds(n int32) time.Duration { return time.Duration(n) * time.Millisecond }
