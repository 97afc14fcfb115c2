package rest

import (
	"context"
	"fmt"
	"time"

	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/page"
)

const monthLayout = "2006-01"

// GetUsage returns what the workspace has used in a month, and its limits.
func (s Server) GetUsage(ctx context.Context, r GetUsageRequestObject) (GetUsageResponseObject, error) {
	month := usage.Month(s.Usage.Now())
	if r.Params.Month != nil {
		var err error
		if month, err = time.Parse(monthLayout, *r.Params.Month); err != nil {
			return nil, fmt.Errorf("the contract let a month through: %w", err)
		}
	}
	used, err := s.Usage.Report(ctx, month)
	return GetUsage200JSONResponse{Month: month.Format(monthLayout), Metrics: page.Map(used, toMetricUsage)}, err
}

func toMetricUsage(u usage.Used) MetricUsage {
	return MetricUsage{
		Metric: Metric(u.Metric), Used: u.Amount, Limit: u.Limit, Remaining: u.Remaining(), ResetsAt: u.Resets,
	}
}
