package domain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/activity/domain"
)

func TestTheDaysOfAReport(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 25, 1, 30, 0, 0, time.FixedZone("", 2*60*60)) // the 24th in UTC
	tests := map[string]struct {
		from, to           string
		wantFrom, wantTo   string
		wrongFrom, wrongTo error
	}{
		"nothing asked for": {"", "", "2026-10-26", "2026-11-25", nil, nil},
		"from alone":        {"2026-11-24", "", "2026-11-24", "2026-11-25", nil, nil},
		"to alone":          {"", "2026-03-01", "2026-01-30", "2026-03-01", nil, nil},
		"one day":           {"2026-03-01", "2026-03-02", "2026-03-01", "2026-03-02", nil, nil},
		"366 days":          {"2026-01-01", "2027-01-02", "2026-01-01", "2027-01-02", nil, nil},
		"367 days":          {"2026-01-01", "2027-01-03", "", "", nil, domain.ErrSpanLong},
		"no day":            {"2026-01-01", "2026-01-01", "", "", nil, domain.ErrSpanEmpty},
		"backwards":         {"2026-01-02", "2026-01-01", "", "", nil, domain.ErrSpanEmpty},
		"from tomorrow":     {"2026-11-25", "", "", "", domain.ErrSpanFrom, nil},
		"from long ago":     {"2025-01-01", "", "", "", domain.ErrSpanFrom, nil},
		"the first of all":  {"2000-01-01", "2000-01-02", "2000-01-01", "2000-01-02", nil, nil},
		"the last of all":   {"2099-12-31", "2100-01-01", "2099-12-31", "2100-01-01", nil, nil},
		"too early":         {"1999-12-31", "2000-01-02", "", "", domain.ErrSpanDay, nil},
		"both absurd":       {"0001-01-01", "9999-12-31", "", "", domain.ErrSpanDay, domain.ErrSpanDay},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			span, err := domain.NewSpan(date(t, test.from), date(t, test.to), time.UTC, true, at)
			if test.wrongFrom != nil || test.wrongTo != nil {
				require.Equal(t, &domain.SpanError{From: test.wrongFrom, To: test.wrongTo}, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, domain.Span{From: *date(t, test.wantFrom), To: *date(t, test.wantTo), Zone: time.UTC, Monthly: true}, span)
		})
	}
}

func date(t *testing.T, text string) *time.Time {
	t.Helper()
	if text == "" {
		return nil
	}
	d, err := time.Parse(time.DateOnly, text)
	require.NoError(t, err)
	return &d
}

func TestTheErrorRateOfNoTurnsIsZero(t *testing.T) {
	t.Parallel()
	require.Zero(t, domain.ReportPeriod{}.ErrorRate())
	require.InDelta(t, 0.25, domain.ReportPeriod{Turns: 4, Failed: 1}.ErrorRate(), 0)
}

func TestTodayIsThatOfTheTimeZone(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 25, 23, 30, 0, 0, time.UTC)
	for name, want := range map[string]string{"UTC": "2026-11-26", "Europe/Berlin": "2026-11-27", "America/New_York": "2026-11-26", "Pacific/Kiritimati": "2026-11-27"} {
		zone, err := domain.NewZone(name)
		require.NoError(t, err)
		span, err := domain.NewSpan(nil, nil, zone, false, at)
		require.NoError(t, err)
		require.Equal(t, want, span.To.Format(time.DateOnly), name)
	}
	for _, name := range []string{"", "Local", "Mars/Olympus", "../etc/passwd", "CEST"} {
		_, err := domain.NewZone(name)
		require.ErrorIs(t, err, domain.ErrZone, name)
	}
}
