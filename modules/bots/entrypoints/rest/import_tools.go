package rest

import (
	"context"
	"encoding/json"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

// ImportTools makes tools of operations of an OpenAPI document.
func (s Server) ImportTools(ctx context.Context, r ImportToolsRequestObject) (ImportToolsResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		p := callctx.From(ctx).Principal
		in := usecases.NewTools{WorkspaceID: p.WorkspaceID, By: p.UserID, Document: toDocument(r.Body.Document)}
		if r.Body.Operations != nil {
			in.Operations = *r.Body.Operations
		}
		if r.Body.BaseURL != nil {
			in.BaseURL = *r.Body.BaseURL
		}
		if r.Body.Prefix != nil {
			in.Prefix = *r.Body.Prefix
		}
		candidates, created, err := s.Tools.Import.Do(ctx, in)
		names := page.Map(created, func(t domain.Tool) string { return t.Name })
		return command.Outcome{
			Answer: ImportTools200JSONResponse{Candidates: page.Map(candidates, toCandidate), Tools: page.Map(created, toTool)}.VisitImportToolsResponse,
			Audit:  audit.Entry{Action: "tool.import", Resource: "workspace", ResourceID: p.WorkspaceID, Changes: map[string]any{"tools": names}},
		}, err
	})
	return stored{answer}, err
}

// toDocument returns the bytes of a document, which is an object or a text.
func toDocument(raw json.RawMessage) []byte {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []byte(text)
	}
	return raw
}

func toCandidate(c domain.ImportedTool) ImportCandidate {
	d := c.Definition
	return ImportCandidate{
		OperationID: c.OperationID, Name: c.Name, Description: *d.Description, Effect: ToolEffect(*d.Effect), Method: *d.Method, URL: *d.URL, Schema: d.Schema,
		Problem: orNull(c.Problem),
	}
}
