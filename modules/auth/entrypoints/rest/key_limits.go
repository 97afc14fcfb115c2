package rest

import (
	"context"

	"github.com/parley/parley/modules/auth/domain"
)

// GetAPIKeyUsage shows what an API key has used of its limits.
func (s Server) GetAPIKeyUsage(ctx context.Context, r GetAPIKeyUsageRequestObject) (GetAPIKeyUsageResponseObject, error) {
	limits, counts, err := s.Keys.Store.Usage(ctx, r.KeyID)
	answer := GetAPIKeyUsage200JSONResponse{Limits: []APIKeyLimitUsage{}}
	for _, u := range limits.Usage(counts, s.Keys.Now()) {
		answer.Limits = append(answer.Limits, APIKeyLimitUsage{
			Metric: APIKeyLimitUsageMetric(u.Metric), Period: APIKeyLimitUsagePeriod(u.Period), Used: u.Used, Limit: u.Limit,
			Remaining: u.Remaining(), ResetsAt: u.ResetsAt,
		})
	}
	return answer, err
}

// limitFields are the fields of limits by metric and period.
func limitFields(l *APIKeyLimits) map[domain.KeyMetric]map[domain.Period]**int64 {
	return map[domain.KeyMetric]map[domain.Period]**int64{
		domain.KeyRequests:   {domain.Minute: &l.RequestsPerMinute, domain.Day: &l.RequestsPerDay, domain.Month: &l.RequestsPerMonth},
		domain.KeyTurns:      {domain.Minute: &l.TurnsPerMinute, domain.Day: &l.TurnsPerDay, domain.Month: &l.TurnsPerMonth},
		domain.KeyTokens:     {domain.Minute: &l.TokensPerMinute, domain.Day: &l.TokensPerDay, domain.Month: &l.TokensPerMonth},
		domain.KeyCostMicros: {domain.Minute: &l.CostMicrosPerMinute, domain.Day: &l.CostMicrosPerDay, domain.Month: &l.CostMicrosPerMonth},
	}
}

func toKeyLimits(l APIKeyLimits) domain.KeyLimits {
	limits := domain.KeyLimits{}
	for metric, periods := range limitFields(&l) {
		for period, field := range periods {
			if *field == nil {
				continue
			}
			if limits[metric] == nil {
				limits[metric] = map[domain.Period]int64{}
			}
			limits[metric][period] = **field
		}
	}
	return limits
}

func fromKeyLimits(limits domain.KeyLimits) (l APIKeyLimits) {
	for metric, periods := range limitFields(&l) {
		for period, field := range periods {
			if n, ok := limits[metric][period]; ok {
				*field = &n
			}
		}
	}
	return l
}
