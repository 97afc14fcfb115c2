// Package usecases has the use cases of activity, one file each.
package usecases

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/ports"
	"github.com/parley/parley/platform/request/fail"
)

// Report reads the usage of the workspace and the results of its turns.
type Report struct {
	Analytics ports.Analytics
	Now       func() time.Time
}

// ReportWanted is the input of Report; nil days are the defaults.
type ReportWanted struct {
	From, To *time.Time
	Zone     *string // the IANA name of a time zone; nil: UTC
	Monthly  bool
	BotID    *uuid.UUID
}

// Do makes the report, and returns the days that it covers.
func (u Report) Do(ctx context.Context, w ReportWanted) (domain.Span, domain.Report, error) {
	zone := time.UTC
	if w.Zone != nil {
		var err error
		if zone, err = domain.NewZone(*w.Zone); err != nil {
			return domain.Span{}, domain.Report{}, fail.Fields(fail.Field{Field: "tz", Code: "INVALID", Message: err.Error()})
		}
	}
	span, err := domain.NewSpan(w.From, w.To, zone, w.Monthly, u.Now())
	if err != nil {
		return span, domain.Report{}, wrongSpan(err)
	}
	report, err := u.Analytics.Report(ctx, domain.ReportOn{Span: span, BotID: w.BotID})
	return span, report, err
}

func wrongSpan(err error) error {
	wrong, ok := errors.AsType[*domain.SpanError](err)
	if !ok {
		return err
	}
	var fields []fail.Field
	if wrong.From != nil {
		fields = append(fields, fail.Field{Field: "from", Code: "INVALID", Message: wrong.From.Error()})
	}
	if wrong.To != nil {
		fields = append(fields, fail.Field{Field: "to", Code: "INVALID", Message: wrong.To.Error()})
	}
	return fail.Fields(fields...)
}
