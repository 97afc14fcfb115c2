package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// ChangeTool writes a changed definition of a tool as its next version.
type ChangeTool struct {
	Tools       ports.Tools
	Schemas     ports.ToolSchemas
	Credentials ports.ToolCredentials
	CheckURL    func(raw string) error
	Now         func() time.Time
}

// NewToolVersion is the input of ChangeTool.
type NewToolVersion struct {
	ToolID, By  uuid.UUID
	Definition  domain.ToolChanges
	Credentials domain.CredentialsChange
	Note        string
	Expected    int // the version that must be current; 0: any
}

// Do writes no version where only credentials are given. It returns ErrToolVersionConflict with details.current_version where another version than the expected one is current.
func (u ChangeTool) Do(ctx context.Context, in NewToolVersion) (domain.Tool, error) {
	tool, err := u.Tools.Lock(ctx, in.ToolID)
	if err != nil {
		return domain.Tool{}, err
	}
	if in.Expected != 0 && in.Expected != tool.CurrentVersion {
		return domain.Tool{}, ports.ErrToolVersionConflict.With("current_version", tool.CurrentVersion)
	}
	edition := domain.Edition{By: in.By, At: u.Now(), Note: in.Note}
	if !in.Definition.IsEmpty() || !in.Credentials.Given {
		version, err := tool.Rewrite(in.Definition, edition)
		if err == nil {
			err = checkDefinition(u.Schemas, u.CheckURL, version)
		}
		if err != nil {
			return domain.Tool{}, ports.Invalid(err)
		}
		if err := u.Tools.Save(ctx, tool, version); err != nil {
			return domain.Tool{}, err
		}
	}
	return tool, ports.Invalid(setCredentials(ctx, u.Credentials, u.CheckURL, &tool, in.Credentials, edition))
}
