package rest

import (
	"context"
	"time"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/usecases"
	"github.com/parley/parley/platform/request/page"
)

// GetUsageStatistics returns the usage of the workspace, by period.
func (s Server) GetUsageStatistics(ctx context.Context, r GetUsageStatisticsRequestObject) (GetUsageStatisticsResponseObject, error) {
	span, report, err := s.Report.Do(ctx, toWanted(r.Params.From, r.Params.To, r.Params.Tz, r.Params.Granularity, r.Params.BotID))
	return GetUsageStatistics200JSONResponse{
		Granularity: toGranularity(span), From: toDate(span.From), To: toDate(span.To), AsOf: report.AsOf,
		Items: page.Map(report.Periods, toUsage), Totals: toUsageTotals(report.Total),
	}, err
}

// GetTurnStatistics returns the results of turns, by period.
func (s Server) GetTurnStatistics(ctx context.Context, r GetTurnStatisticsRequestObject) (GetTurnStatisticsResponseObject, error) {
	span, report, err := s.Report.Do(ctx, toWanted(r.Params.From, r.Params.To, r.Params.Tz, r.Params.Granularity, r.Params.BotID))
	return GetTurnStatistics200JSONResponse{
		Granularity: toGranularity(span), From: toDate(span.From), To: toDate(span.To), AsOf: report.AsOf,
		Items: page.Map(report.Periods, toTurns), Totals: toTurnTotals(report.Total),
	}, err
}

func toWanted(from, to *openapi_types.Date, zone *string, g *Granularity, bot *openapi_types.UUID) usecases.ReportWanted {
	w := usecases.ReportWanted{Zone: zone, Monthly: g != nil && *g == Month, BotID: bot}
	if from != nil {
		w.From = &from.Time
	}
	if to != nil {
		w.To = &to.Time
	}
	return w
}

func toGranularity(s domain.Span) Granularity {
	if s.Monthly {
		return Month
	}
	return Day
}

func toDate(day time.Time) openapi_types.Date { return openapi_types.Date{Time: day} }

func toUsage(p domain.ReportPeriod) UsagePeriod {
	return UsagePeriod{
		Period: toDate(p.Start), Turns: p.Turns, Messages: p.Messages, InputTokens: p.InputTokens, OutputTokens: p.OutputTokens,
		CostMicros: p.CostMicros, WebhookEvents: p.WebhookEvents, AuditEntries: p.AuditEntries,
	}
}

func toUsageTotals(p domain.ReportPeriod) UsageTotals {
	return UsageTotals{
		Turns: p.Turns, Messages: p.Messages, InputTokens: p.InputTokens, OutputTokens: p.OutputTokens,
		CostMicros: p.CostMicros, WebhookEvents: p.WebhookEvents, AuditEntries: p.AuditEntries,
	}
}

func toTurns(p domain.ReportPeriod) TurnPeriod {
	return TurnPeriod{
		Period: toDate(p.Start), Turns: p.Turns, Completed: p.Completed, Failed: p.Failed, ErrorRate: p.ErrorRate(),
		InputTokens: p.InputTokens, OutputTokens: p.OutputTokens, CostMicros: p.CostMicros, LatencyMs: toQuantiles(p),
	}
}

func toTurnTotals(p domain.ReportPeriod) TurnTotals {
	return TurnTotals{
		Turns: p.Turns, Completed: p.Completed, Failed: p.Failed, ErrorRate: p.ErrorRate(),
		InputTokens: p.InputTokens, OutputTokens: p.OutputTokens, CostMicros: p.CostMicros, LatencyMs: toQuantiles(p),
	}
}

func toQuantiles(p domain.ReportPeriod) LatencyQuantiles {
	return LatencyQuantiles{P50: toMilliseconds(p.P50), P95: toMilliseconds(p.P95), P99: toMilliseconds(p.P99)}
}

func toMilliseconds(d *time.Duration) *int64 {
	if d == nil {
		return nil
	}
	ms := d.Milliseconds()
	return &ms
}
