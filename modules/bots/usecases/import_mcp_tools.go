package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// ImportMCPTools makes tools of tools of an MCP server.
type ImportMCPTools struct {
	Servers ports.ToolServers
	Create  CreateTool
}

// NewMCPTools is the input of ImportMCPTools.
type NewMCPTools struct {
	WorkspaceID, By uuid.UUID
	URL, Prefix     string
	Credentials     domain.CredentialsChange
	Names           []string // of tools on the server; none: nothing is created
}

// Discover asks the server for its tools, and returns them as the tools that they would be. It must not run in a transaction.
func (u ImportMCPTools) Discover(ctx context.Context, in NewMCPTools) ([]domain.ImportedTool, error) {
	if err := u.check(in); err != nil {
		return nil, ports.Invalid(err)
	}
	offered, err := u.Servers.List(ctx, in.URL, in.Credentials.New)
	if err != nil {
		return nil, ports.Invalid(err)
	}
	candidates := make([]domain.ImportedTool, len(offered))
	for i, remote := range offered {
		candidates[i] = domain.ImportedTool{
			OperationID: remote.Name, Name: domain.ImportedName(in.Prefix, remote.Name), Definition: remote.Changes(in.URL), Problem: remote.Problem,
		}
	}
	return candidates, nil
}

// check returns a *domain.RuleError where the server or its credentials may not be asked.
func (u ImportMCPTools) check(in NewMCPTools) error {
	if err := u.Create.CheckURL(in.URL); err != nil {
		return &domain.RuleError{Field: "url", Rule: err.Error()}
	}
	if in.Credentials.New == nil {
		return nil
	}
	return checkCredentials(*in.Credentials.New, domain.MCPTool, u.Create.CheckURL)
}

// Do creates the tools that in.Names name among the candidates, in that order, all or none.
func (u ImportMCPTools) Do(ctx context.Context, in NewMCPTools, candidates []domain.ImportedTool) ([]domain.Tool, error) {
	return u.Create.chosen(ctx, candidates, chosenTools{
		workspace: in.WorkspaceID, by: in.By, kind: domain.MCPTool, field: "tools", what: "the name of a tool of the server", ids: in.Names, credentials: in.Credentials,
	})
}
