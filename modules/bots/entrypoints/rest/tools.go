package rest

import (
	"context"
	"fmt"
	"strconv"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/modules/bots/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

// Tools are the use cases of tools.
type Tools struct {
	Create  usecases.CreateTool
	Change  usecases.ChangeTool
	Delete  usecases.DeleteTool
	Import  usecases.ImportTools
	Servers usecases.ImportMCPTools
	Review  usecases.ReviewTool
	Version usecases.GetToolVersion
	Tools   ports.Tools
	Reader  ports.ToolReader
}

// CreateTool creates a tool.
func (s Server) CreateTool(ctx context.Context, r CreateToolRequestObject) (CreateToolResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		p := callctx.From(ctx).Principal
		tool, err := s.Tools.Create.Do(ctx, usecases.NewTool{
			WorkspaceID: p.WorkspaceID, By: p.UserID, Kind: domain.ToolKind(r.Body.Kind), Name: r.Body.Name, Definition: toNewDefinition(*r.Body),
			Credentials: toCredentialsChange(r.Body.Credentials), Note: r.Body.Note,
		})
		location := "/v1/tools/" + tool.ID.String()
		return command.Outcome{
			Answer: CreateTool201JSONResponse{Body: toTool(tool), Headers: CreateTool201ResponseHeaders{Location: &location, ETag: toolTag(tool)}}.VisitCreateToolResponse,
			Audit: toolChange("create", tool, map[string]any{
				"name": tool.Name, "kind": tool.Kind, "effect": tool.Definition.Effect, "url": tool.Definition.URL, "credentials": tool.Credentials != nil,
			}),
		}, err
	})
	return stored{answer}, err
}

// ListTools lists the tools of the workspace, newest first.
func (s Server) ListTools(ctx context.Context, r ListToolsRequestObject) (ListToolsResponseObject, error) {
	f := ports.ToolFilter{NamePart: r.Params.Q, Kind: (*domain.ToolKind)(r.Params.Kind), Review: (*domain.ReviewStatus)(r.Params.Review)}
	p, err := page.List[domain.Tool, page.IDPosition]{
		Name: "tools", Filter: f,
		Read: func(ctx context.Context, after *page.IDPosition, limit int) ([]domain.Tool, error) {
			return s.Tools.Reader.List(ctx, f, after.Before(), limit)
		},
		Position: func(t domain.Tool) page.IDPosition { return page.IDPosition{ID: t.ID} },
		Size:     func(t domain.Tool) int { return len(t.Definition.Description) + len(t.Definition.URL) },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListTools200JSONResponse{Items: page.Map(p.Items, toToolSummary), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

// GetTool returns a tool.
func (s Server) GetTool(ctx context.Context, r GetToolRequestObject) (GetToolResponseObject, error) {
	tool, err := s.Tools.Tools.Get(ctx, r.ToolID)
	return GetTool200JSONResponse{Body: toTool(tool), Headers: GetTool200ResponseHeaders{ETag: toolTag(tool)}}, err
}

// ChangeTool writes a new version of a tool.
func (s Server) ChangeTool(ctx context.Context, r ChangeToolRequestObject) (ChangeToolResponseObject, error) {
	version, err := expected(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		tool, err := s.Tools.Change.Do(ctx, usecases.NewToolVersion{
			ToolID: r.ToolID, By: callctx.From(ctx).Principal.UserID, Definition: toDefinitionChanges(*r.Body),
			Credentials: toCredentialsChange(r.Body.Credentials), Note: r.Body.Note, Expected: version,
		})
		return command.Outcome{
			Answer: ChangeTool200JSONResponse{Body: toTool(tool), Headers: ChangeTool200ResponseHeaders{ETag: toolTag(tool)}}.VisitChangeToolResponse,
			Audit:  toolChange("change", tool, changedDefinition(tool, *r.Body)),
		}, err
	})
	return stored{answer}, err
}

// DeleteTool deletes a tool with all its versions.
func (s Server) DeleteTool(ctx context.Context, r DeleteToolRequestObject) (DeleteToolResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		tool, err := s.Tools.Delete.Do(ctx, r.ToolID, r.Params.Force != nil && *r.Params.Force)
		return command.Outcome{
			Answer: DeleteTool204Response{}.VisitDeleteToolResponse, Audit: toolChange("delete", tool, map[string]any{"name": tool.Name, "versions": tool.CurrentVersion}),
		}, err
	})
	return stored{answer}, err
}

// ListToolVersions lists the versions of a tool, newest first.
func (s Server) ListToolVersions(ctx context.Context, r ListToolVersionsRequestObject) (ListToolVersionsResponseObject, error) {
	p, err := page.List[domain.ToolVersion, ports.VersionPosition]{
		Name: "tool versions", Filter: r.ToolID.String(),
		Read: func(ctx context.Context, after *ports.VersionPosition, limit int) ([]domain.ToolVersion, error) {
			return s.Tools.Reader.Versions(ctx, r.ToolID, after, limit)
		},
		Position: func(v domain.ToolVersion) ports.VersionPosition { return ports.VersionPosition{Number: v.Number} },
		Size:     func(v domain.ToolVersion) int { return len(v.Definition.Schema) + len(v.Definition.Description) },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListToolVersions200JSONResponse{Items: page.Map(p.Items, toToolVersion), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

// GetToolVersion returns a version of a tool.
func (s Server) GetToolVersion(ctx context.Context, r GetToolVersionRequestObject) (GetToolVersionResponseObject, error) {
	version, err := s.Tools.Version.Do(ctx, r.ToolID, int(r.Version))
	return GetToolVersion200JSONResponse(toToolVersion(version)), err
}

func toolChange(verb string, t domain.Tool, changes map[string]any) audit.Entry {
	return audit.Entry{Action: "tool." + verb, Resource: "tool", ResourceID: t.ID, Changes: changes}
}

// changedDefinition returns the changes that the audit log stores for a changed tool: what says where its calls go and what they do.
func changedDefinition(t domain.Tool, body ChangeToolJSONRequestBody) map[string]any {
	changes := map[string]any{}
	if !toDefinitionChanges(body).IsEmpty() || len(body.Credentials) == 0 {
		changes["version"] = step(t.CurrentVersion-1, t.CurrentVersion)
	}
	if len(body.Credentials) > 0 {
		changes["credentials"] = t.Credentials != nil
	}
	if body.URL != nil {
		changes["url"] = t.Definition.URL
	}
	if body.Method != nil {
		changes["method"] = t.Definition.Method
	}
	if body.Effect != nil {
		changes["effect"] = t.Definition.Effect
	}
	return changes
}

// toolTag returns the ETag of a tool: its current version.
func toolTag(t domain.Tool) *string {
	tag := strconv.Quote(fmt.Sprint(t.CurrentVersion))
	return &tag
}
