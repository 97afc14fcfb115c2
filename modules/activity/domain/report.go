// Package domain has the reports of the usage of a workspace.
package domain

import (
	"errors"
	"time"

	"github.com/google/uuid"
)

// Span is the range of days of a report: from the first day on, before the last. Its periods are days or months.
type Span struct {
	From, To time.Time      // dates, at midnight UTC in any zone
	Zone     *time.Location // the time zone of the days
	Monthly  bool
}

const (
	spanDays    = 30  // the default
	maxSpanDays = 366 // of one report
)

// Errors of the days of a report.
var (
	ErrSpanDay   = errors.New("must be a day from 2000-01-01 to 2100-01-01")
	ErrSpanEmpty = errors.New("must be a day after from")
	ErrSpanLong  = errors.New("must be at most 366 days after from")
	ErrSpanFrom  = errors.New("must be today or earlier, and at most 366 days ago, where to is not given")
)

// SpanError says which of the days of a report are wrong; a nil field is right.
type SpanError struct{ From, To error }

func (e *SpanError) Error() string { return errors.Join(e.From, e.To).Error() }

// NewSpan checks the days of a report. Without to it ends with today, without from it has 30 days. Wrong days are a
// *SpanError.
func NewSpan(from, to *time.Time, zone *time.Location, monthly bool, now time.Time) (Span, error) {
	wrong := SpanError{From: wrongDay(from), To: wrongDay(to)}
	if wrong.From != nil || wrong.To != nil {
		return Span{}, &wrong
	}
	today := now.In(zone)
	s := Span{To: time.Date(today.Year(), today.Month(), today.Day()+1, 0, 0, 0, 0, time.UTC), Zone: zone, Monthly: monthly}
	if to != nil {
		s.To = *to
	}
	s.From = s.To.AddDate(0, 0, -spanDays)
	if from != nil {
		s.From = *from
	}
	empty, long := !s.From.Before(s.To), s.To.After(s.From.AddDate(0, 0, maxSpanDays))
	switch {
	case (empty || long) && to == nil:
		return s, &SpanError{From: ErrSpanFrom}
	case empty:
		return s, &SpanError{To: ErrSpanEmpty}
	case long:
		return s, &SpanError{To: ErrSpanLong}
	}
	return s, nil
}

func wrongDay(day *time.Time) error {
	if day != nil && (day.Year() < 2000 || day.After(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC))) {
		return ErrSpanDay
	}
	return nil
}

// ErrZone states what a time zone must be.
var ErrZone = errors.New("must be the IANA name of a time zone, such as Europe/Berlin or UTC")

// NewZone returns the time zone of an IANA name.
func NewZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" { // both of which Go knows, and both are the machine's
		return nil, ErrZone
	}
	return zone, nil
}

// Report has the counts of a span: of every period, the oldest first, and of all periods together.
type Report struct {
	AsOf    time.Time // up to when turns and events are counted
	Periods []ReportPeriod
	Total   ReportPeriod
}

// ReportPeriod has the counts of a period, which is named by its first day.
type ReportPeriod struct {
	Start                                 time.Time
	Turns, Completed, Failed              int64 // Turns are all turns that have ended
	Messages, WebhookEvents, AuditEntries int64
	InputTokens, OutputTokens, CostMicros int64
	P50, P95, P99                         *time.Duration // of the completed turns; nil where there are none
}

// ErrorRate returns the share of turns that failed; 0 where there are none.
func (p ReportPeriod) ErrorRate() float64 {
	if p.Turns <= 0 {
		return 0
	}
	return float64(p.Failed) / float64(p.Turns)
}

// ReportOn selects the data of a report; a nil bot is the whole workspace.
type ReportOn struct {
	Span  Span
	BotID *uuid.UUID
}
