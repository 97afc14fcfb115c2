package domain

import "time"

// KeyMetric is what is limited of an API key.
type KeyMetric string

// What is limited of an API key.
const (
	KeyRequests   KeyMetric = "requests"
	KeyTurns      KeyMetric = "turns"
	KeyTokens     KeyMetric = "tokens"
	KeyCostMicros KeyMetric = "cost_micros"
)

// Period is a minute, day or month of UTC.
type Period string

// The periods of limits.
const (
	Minute Period = "minute"
	Day    Period = "day"
	Month  Period = "month"
)

// KeyLimits are how much an API key may do, by metric and period. What is not in it has no limit.
type KeyLimits map[KeyMetric]map[Period]int64

// KeyCount is what was counted of a metric in the period that began at a time.
type KeyCount struct {
	Metric  KeyMetric
	Period  Period
	BeganAt time.Time
	Used    int64
}

// KeyUsage is what is used of one limit.
type KeyUsage struct {
	Metric      KeyMetric
	Period      Period
	Used, Limit int64
	ResetsAt    time.Time
}

// Remaining is what is left of the limit.
func (u KeyUsage) Remaining() int64 { return max(0, u.Limit-u.Used) }

// Usage returns what is used of each limit in the periods that run at a time.
func (l KeyLimits) Usage(counts []KeyCount, now time.Time) []KeyUsage {
	list := []KeyUsage{}
	for _, metric := range []KeyMetric{KeyRequests, KeyTurns, KeyTokens, KeyCostMicros} {
		for _, period := range []Period{Minute, Day, Month} {
			limit, ok := l[metric][period]
			if !ok {
				continue
			}
			began, ends := period.around(now)
			u := KeyUsage{Metric: metric, Period: period, Limit: limit, ResetsAt: ends}
			for _, c := range counts {
				if c.Metric == metric && c.Period == period && !c.BeganAt.Before(began) {
					u.Used = c.Used
				}
			}
			list = append(list, u)
		}
	}
	return list
}

// around returns when the period that runs at a time began, and when it ends.
func (p Period) around(now time.Time) (began, ends time.Time) {
	now = now.UTC()
	switch p {
	case Minute:
		began = now.Truncate(time.Minute)
		return began, began.Add(time.Minute)
	case Day:
		began = time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
		return began, began.AddDate(0, 0, 1)
	default:
		began = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
		return began, began.AddDate(0, 1, 0)
	}
}
