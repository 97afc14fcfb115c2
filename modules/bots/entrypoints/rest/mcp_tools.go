package rest

import (
	"context"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

// ImportMcpTools makes tools of tools of an MCP server. The server is asked before the transaction begins, and not again for a repetition.
func (s Server) ImportMcpTools(ctx context.Context, r ImportMcpToolsRequestObject) (ImportMcpToolsResponseObject, error) {
	if answer, seen, err := s.Commands.Seen(ctx); seen || err != nil {
		return stored{answer}, err
	}
	p := callctx.From(ctx).Principal
	in := usecases.NewMCPTools{WorkspaceID: p.WorkspaceID, By: p.UserID, URL: r.Body.URL, Credentials: toCredentialsChange(r.Body.Credentials)}
	if r.Body.Tools != nil {
		in.Names = *r.Body.Tools
	}
	if r.Body.Prefix != nil {
		in.Prefix = *r.Body.Prefix
	}
	candidates, err := s.Tools.Servers.Discover(ctx, in)
	if err != nil {
		return nil, err
	}
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		created, err := s.Tools.Servers.Do(ctx, in, candidates)
		names := page.Map(created, func(t domain.Tool) string { return t.Name })
		return command.Outcome{
			Answer: ImportMcpTools200JSONResponse{Candidates: page.Map(candidates, toMcpCandidate), Tools: page.Map(created, toTool)}.VisitImportMcpToolsResponse,
			Audit: audit.Entry{Action: "tool.import", Resource: "workspace", ResourceID: p.WorkspaceID, Changes: map[string]any{
				"tools": names, "url": in.URL, "credentials": in.Credentials.New != nil,
			}},
		}, err
	})
	return stored{answer}, err
}

// ReviewTool decides about a changed definition of a tool.
func (s Server) ReviewTool(ctx context.Context, r ReviewToolRequestObject) (ReviewToolResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		tool, err := s.Tools.Review.Do(ctx, usecases.ReviewDecision{
			ToolID: r.ToolID, By: callctx.From(ctx).Principal.UserID, Accept: r.Body.Decision == ToolReviewAccept, Hash: r.Body.Hash,
			Effect: (*domain.Effect)(r.Body.Effect), Note: r.Body.Note,
		})
		return command.Outcome{
			Answer: ReviewTool200JSONResponse{Body: toTool(tool), Headers: ReviewTool200ResponseHeaders{ETag: toolTag(tool)}}.VisitReviewToolResponse,
			Audit: toolChange("review", tool, map[string]any{
				"decision": r.Body.Decision, "definition_hash": r.Body.Hash, "version": tool.CurrentVersion, "effect": tool.Definition.Effect,
			}),
		}, err
	})
	return stored{answer}, err
}

func toMcpCandidate(c domain.ImportedTool) McpCandidate {
	d := c.Definition
	return McpCandidate{
		RemoteName: *d.RemoteName, Name: c.Name, Description: *d.Description, Effect: ToolEffect(*d.Effect), Schema: d.Schema, DefinitionHash: *d.DefinitionHash,
		Problem: orNull(c.Problem),
	}
}
