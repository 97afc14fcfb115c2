// Package ports declares what the use cases of activity need from outside.
package ports

import (
	"context"

	"github.com/parley/parley/modules/activity/domain"
)

// Analytics reads the counts of the caller's workspace, which are some seconds old. For a bot of another workspace the
// counts are zero.
type Analytics interface {
	Report(ctx context.Context, on domain.ReportOn) (domain.Report, error)
}
