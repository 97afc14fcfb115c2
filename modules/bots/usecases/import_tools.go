package usecases

import (
	"context"
	"errors"
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
	created, err = u.Create.chosen(ctx, candidates, chosenTools{
		workspace: in.WorkspaceID, by: in.By, kind: domain.HTTPTool, field: "operations", what: "the id of an operation of the document", ids: in.Operations,
	})
	return candidates, created, err
}

// chosenTools are those of a list of candidates that become tools.
type chosenTools struct {
	workspace, by uuid.UUID
	kind          domain.ToolKind
	field, what   string // of the ids
	ids           []string
	credentials   domain.CredentialsChange
}

// chosen writes into the candidates what keeps them from being tools, and creates those that are chosen.
func (u CreateTool) chosen(ctx context.Context, candidates []domain.ImportedTool, in chosenTools) (created []domain.Tool, err error) {
	for i, candidate := range candidates {
		if candidate.Problem == "" {
			candidates[i].Problem = u.problem(in.kind, candidate)
		}
	}
	for i, id := range in.ids {
		field := fmt.Sprintf("%s.%d", in.field, i)
		at := slices.IndexFunc(candidates, func(c domain.ImportedTool) bool { return c.OperationID == id })
		switch {
		case at < 0:
			return nil, fail.Fields(fail.Field{Field: field, Code: "INVALID", Message: "must be " + in.what})
		case candidates[at].Problem != "":
			return nil, fail.Fields(fail.Field{Field: field, Code: "INVALID", Message: "cannot be a tool: " + candidates[at].Problem})
		}
		tool, err := u.Do(ctx, NewTool{
			WorkspaceID: in.workspace, By: in.by, Kind: in.kind, Name: candidates[at].Name, Definition: candidates[at].Definition, Credentials: in.credentials,
			Note: "imported: " + short(id),
		})
		if errors.Is(err, ports.ErrToolNameTaken) {
			return nil, ports.ToolNameTaken(candidates[at].Name, field)
		}
		if err != nil {
			return nil, err
		}
		created = append(created, tool)
	}
	return created, nil
}

// problem returns why a candidate cannot be a tool; "" if it can.
func (u CreateTool) problem(kind domain.ToolKind, c domain.ImportedTool) string {
	_, version, err := domain.NewTool(uuid.Nil, kind, c.Name, c.Definition, domain.Edition{})
	if err == nil {
		err = checkDefinition(u.Schemas, u.CheckURL, version)
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
