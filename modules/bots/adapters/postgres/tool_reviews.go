package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/botsdb"
	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
)

// ToolReviews stores changed definitions of tools.
type ToolReviews struct{ DB *postgres.DB }

var _ ports.ToolReviews = ToolReviews{}

func (r ToolReviews) queries(ctx context.Context) (*botsdb.Queries, uuid.UUID) {
	return botsdb.New(r.DB.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
}

// Found writes in a transaction of its own, as the workspace: whoever may use a bot need not be allowed to change its tools.
func (r ToolReviews) Found(ctx context.Context, review domain.ToolReview) error {
	p := callctx.From(ctx).Principal
	err := r.DB.Write(callctx.As(ctx, p.WorkspaceID, p.UserID), func(ctx context.Context) error {
		q, workspace := r.queries(ctx)
		params := botsdb.FoundToolDefinitionParams{
			WorkspaceID: workspace, ToolID: review.ToolID, Status: string(review.Status), Hash: review.Remote.Hash, Description: review.Remote.Description,
			Effect: string(review.Remote.Effect), Problem: review.Remote.Problem, FoundAt: review.FoundAt,
		}
		if len(review.Remote.Schema) > 0 {
			params.Schema = new(string(review.Remote.Schema))
		}
		return q.FoundToolDefinition(ctx, params)
	})
	if err != nil {
		return fmt.Errorf("store the changed definition of the tool: %w", err)
	}
	return nil
}

func (r ToolReviews) Reject(ctx context.Context, tool uuid.UUID) error {
	q, workspace := r.queries(ctx)
	if err := q.RejectToolDefinition(ctx, botsdb.RejectToolDefinitionParams{WorkspaceID: workspace, ToolID: tool}); err != nil {
		return fmt.Errorf("reject the changed definition of the tool: %w", err)
	}
	return nil
}

func (r ToolReviews) Delete(ctx context.Context, tool uuid.UUID) error {
	q, workspace := r.queries(ctx)
	if err := q.DeleteToolReview(ctx, botsdb.DeleteToolReviewParams{WorkspaceID: workspace, ToolID: tool}); err != nil {
		return fmt.Errorf("delete the changed definition of the tool: %w", err)
	}
	return nil
}

func toReview(row botsdb.GetToolRow) *domain.ToolReview {
	if row.ReviewStatus == nil {
		return nil
	}
	review := &domain.ToolReview{
		ToolID: row.Tool.ID, Status: domain.ReviewStatus(*row.ReviewStatus), FoundAt: *row.ReviewFoundAt,
		Remote: domain.RemoteTool{
			Name: row.ToolVersion.RemoteName, Description: *row.ReviewDescription, Effect: domain.Effect(*row.ReviewEffect), Hash: *row.ReviewHash,
			Problem: *row.ReviewProblem,
		},
	}
	if row.ReviewSchema != nil {
		review.Remote.Schema = json.RawMessage(*row.ReviewSchema)
	}
	return review
}
