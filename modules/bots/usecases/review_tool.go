package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// ReviewTool decides whether a changed definition of a tool of an MCP server becomes its next version.
type ReviewTool struct {
	Change  ChangeTool
	Reviews ports.ToolReviews
}

// ReviewDecision is the input of ReviewTool.
type ReviewDecision struct {
	ToolID, By uuid.UUID
	Accept     bool
	Hash       string         // of the definition that was looked at
	Effect     *domain.Effect // of an accepted one; nil: as before
	Note       string
}

// Do returns ErrNoReview where no definition with this hash waits or was rejected. A rejected definition is kept, so that it is not found
// again: the tool is not called while its server has it.
func (u ReviewTool) Do(ctx context.Context, in ReviewDecision) (domain.Tool, error) {
	tool, err := u.Change.Tools.Lock(ctx, in.ToolID)
	if err != nil {
		return domain.Tool{}, err
	}
	if tool.Review == nil || tool.Review.Remote.Hash != in.Hash {
		return domain.Tool{}, ports.ErrNoReview
	}
	if !in.Accept {
		tool.Review.Status = domain.ReviewRejected
		return tool, u.Reviews.Reject(ctx, tool.ID)
	}
	changes, err := tool.Review.Accepted(in.Effect)
	if err != nil {
		return domain.Tool{}, ports.Invalid(err)
	}
	if err := u.Reviews.Delete(ctx, tool.ID); err != nil {
		return domain.Tool{}, err
	}
	return u.Change.Do(ctx, NewToolVersion{ToolID: tool.ID, By: in.By, Definition: changes, Note: in.Note})
}
