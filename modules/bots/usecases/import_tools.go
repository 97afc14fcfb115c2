package usecases

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/platform/request/fail"
)

// ImportTools makes tools of operations of an OpenAPI document.
type ImportTools struct {
	Documents ports.ToolDocuments
	Create    CreateTool
}

// NewTools is the input of ImportTools.
type NewTools struct {
	WorkspaceID, By uuid.UUID
	Document        []byte
	BaseURL, Prefix string
	Operations      []string // ids of operations; none: nothing is created
}

// Do returns the operations of the document as the tools that they would be, and the tools that were created, in the order of
// in.Operations. All are created or none.
func (u ImportTools) Do(ctx context.Context, in NewTools) (candidates []domain.ImportedTool, created []domain.Tool, err error) {
	candidates, err = u.Documents.Read(in.Document, in.BaseURL, in.Prefix)
	if err != nil {
		return nil, nil, ports.Invalid(err)
	}
	for i, candidate := range candidates {
		if candidate.Problem == "" {
			candidates[i].Problem = u.problem(candidate)
		}
	}
	for i, id := range in.Operations {
		field := fmt.Sprintf("operations.%d", i)
		at := slices.IndexFunc(candidates, func(c domain.ImportedTool) bool { return c.OperationID == id })
		switch {
		case at < 0:
			return nil, nil, fail.Fields(fail.Field{Field: field, Code: "INVALID", Message: "must be the id of an operation of the document"})
		case candidates[at].Problem != "":
			return nil, nil, fail.Fields(fail.Field{Field: field, Code: "INVALID", Message: "cannot be a tool: " + candidates[at].Problem})
		}
		tool, err := u.Create.Do(ctx, NewTool{
			WorkspaceID: in.WorkspaceID, By: in.By, Kind: domain.HTTPTool, Name: candidates[at].Name, Definition: candidates[at].Definition, Note: "imported: " + short(id),
		})
		if err != nil {
			return nil, nil, err
		}
		created = append(created, tool)
	}
	return candidates, created, nil
}

// problem returns why an operation cannot be a tool; "" if it can.
func (u ImportTools) problem(c domain.ImportedTool) string {
	_, version, err := domain.NewTool(uuid.Nil, domain.HTTPTool, c.Name, c.Definition, domain.Edition{})
	if err == nil {
		err = checkDefinition(u.Create.Schemas, u.Create.CheckURL, version)
	}
	if err != nil {
		return "its " + err.Error()
	}
	return ""
}

// short returns the beginning of an id, for a note.
func short(id string) string {
	runes := []rune(id)
	return string(runes[:min(len(runes), 200)])
}
