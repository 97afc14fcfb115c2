// Package ports declares what the use cases of activity need of the outside.
package ports

import (
	"context"

	"github.com/parley/parley/modules/activity/domain"
)

// Analytics has what is counted of the caller's workspace, seconds behind. A bot that is not of this workspace has
// nothing.
type Analytics interface {
	Report(ctx context.Context, on domain.ReportOn) (domain.Report, error)
}
