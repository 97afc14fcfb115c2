package domain

import "time"

// Retention is for how long a workspace keeps what it has; nil: for ever.
type Retention struct {
	ThreadsDays, EventsDays, JobsDays, AuditDays *int32
	// UsageMonths are whole months before the current one.
	UsageMonths *int32
}

// KeepsAll reports whether everything is kept for ever.
func (r Retention) KeepsAll() bool { return r == Retention{} }

// DaysBefore returns the time before which something is removed that is kept for a number of days; nil: it is kept for ever.
func DaysBefore(now time.Time, days *int32) *time.Time {
	if days == nil {
		return nil
	}
	before := now.AddDate(0, 0, -int(*days))
	return &before
}

// MonthsBefore returns the first day (UTC) of which something is kept for a number of whole months before the current one; nil: it is kept for ever.
func MonthsBefore(now time.Time, months *int32) *time.Time {
	if months == nil {
		return nil
	}
	now = now.UTC()
	before := time.Date(now.Year(), now.Month()-time.Month(*months), 1, 0, 0, 0, 0, time.UTC)
	return &before
}

// RetentionCounts is how much a run has removed.
type RetentionCounts struct {
	Threads, Events, Jobs, Audit int64
	// Usage are counters of usage and statistics.
	Usage int64
}

// Removed reports whether there is anything.
func (c RetentionCounts) Removed() bool { return c != RetentionCounts{} }

// RetentionRun removes what a workspace does not keep.
type RetentionRun struct {
	StartedAt time.Time
	EndedAt   *time.Time // nil: it has more to remove
	Removed   RetentionCounts
	Failure   string // why it ended early; "": it did not
}

// RetentionState is a setting with its runs.
type RetentionState struct {
	Retention
	NextRunAt *time.Time    // nil: everything is kept
	LastRun   *RetentionRun // nil: there was none
}
