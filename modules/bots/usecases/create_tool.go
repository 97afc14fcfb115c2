package usecases

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// CreateTool creates a tool.
type CreateTool struct {
	Tools       ports.Tools
	Schemas     ports.ToolSchemas
	Credentials ports.ToolCredentials
	// CheckURL returns what is wrong with the URL of a target.
	CheckURL func(raw string) error
	Now      func() time.Time
}

// NewTool is the input of CreateTool.
type NewTool struct {
	WorkspaceID, By uuid.UUID
	Kind            domain.ToolKind
	Name            string
	Definition      domain.ToolChanges
	Credentials     domain.CredentialsChange
	Note            string
}

// Do creates the tool in version 1. It fails with LIMIT_REACHED where the workspace may not have one more.
func (u CreateTool) Do(ctx context.Context, in NewTool) (domain.Tool, error) {
	edition := domain.Edition{By: in.By, At: u.Now(), Note: in.Note}
	tool, version, err := domain.NewTool(in.WorkspaceID, in.Kind, in.Name, in.Definition, edition)
	if err == nil {
		err = checkDefinition(u.Schemas, u.CheckURL, version)
	}
	if err != nil {
		return domain.Tool{}, ports.Invalid(err)
	}
	err = u.Tools.Create(ctx, tool, version)
	if errors.Is(err, ports.ErrToolNameTaken) {
		return domain.Tool{}, ports.ToolNameTaken(in.Name, "name")
	}
	if err != nil {
		return domain.Tool{}, err
	}
	return tool, ports.Invalid(setCredentials(ctx, u.Credentials, u.CheckURL, &tool, in.Credentials, edition))
}

// checkDefinition returns a *domain.RuleError where the schema of a tool is none, or its URL leads where it may not.
func checkDefinition(schemas ports.ToolSchemas, checkURL func(raw string) error, v domain.ToolVersion) error {
	if err := schemas.Check(v.Definition.Schema); err != nil {
		return err
	}
	if v.Definition.URL == "" {
		return nil
	}
	if err := checkURL(v.Definition.URL); err != nil {
		return &domain.RuleError{Field: "url", Rule: err.Error()}
	}
	return nil
}
