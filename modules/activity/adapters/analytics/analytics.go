// Package analytics reads counts from platform/data/analytics.
package analytics

import (
	"context"

	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/ports"
	"github.com/parley/parley/platform/data/analytics"
)

// Analytics reads the reports of the caller's workspace.
type Analytics struct{ Reports analytics.Reports }

var _ ports.Analytics = Analytics{}

func (a Analytics) Report(ctx context.Context, on domain.ReportOn) (domain.Report, error) {
	read, err := a.Reports.Read(ctx, analytics.Query{
		From: on.Span.From, To: on.Span.To, Zone: on.Span.Zone, Monthly: on.Span.Monthly, BotID: on.BotID,
	})
	if err != nil {
		return domain.Report{}, err
	}
	report := domain.Report{AsOf: read.AsOf, Periods: make([]domain.ReportPeriod, len(read.Periods)), Total: toPeriod(read.Total)}
	for i, p := range read.Periods {
		report.Periods[i] = toPeriod(p)
	}
	return report, nil
}

func toPeriod(p analytics.Period) domain.ReportPeriod {
	return domain.ReportPeriod{
		Start: p.Period, Turns: p.Turns, Completed: p.Completed, Failed: p.Failed,
		Messages: p.Messages, WebhookEvents: p.WebhookEvents, AuditEntries: p.AuditEntries,
		InputTokens: p.InputTokens, OutputTokens: p.OutputTokens, CostMicros: p.CostMicros,
		P50: p.Latency.Quantile(0.50), P95: p.Latency.Quantile(0.95), P99: p.Latency.Quantile(0.99),
	}
}
