package analytics_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/analytics"
)

// adapter is a Store under test. interrupt makes an export that fails when it has done all but to say so.
type adapter struct {
	analytics.Store

	interrupt func(t *testing.T)
}

// counted is the contract of Store: every adapter passes it.
func counted(t *testing.T, open func(t *testing.T, s site) adapter) {
	t.Helper()
	steps := map[string]func(t *testing.T, s site, a adapter){
		"what happened is counted where it belongs":     countsWhatHappened,
		"months have the days that were asked for":      sumsMonths,
		"days of a time zone are those of its clocks":   countsDaysOfAZone,
		"latencies are exact to 3.2 percent":            tellsLatencies,
		"an export that was cut short counts once":      countsOnceThoughCutShort,
		"several exporters at once count once":          countsOnceThoughMany,
		"an export moves no more than its limit":        movesNoMore,
		"the age of the oldest waiting row is reported": tellsItsAge,
		"what is from before a closed day is dropped":   dropsWhatIsClosed,
	}
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			step(t, s, open(t, s))
		})
	}
}

func export(t *testing.T, a adapter) int {
	t.Helper()
	n, err := analytics.ExportAll(t.Context(), a)
	require.NoError(t, err)
	return n
}

func countsWhatHappened(t *testing.T, s site, a adapter) {
	t.Helper()
	ada, eve := uuid.New(), uuid.New()
	bot, other := uuid.New(), uuid.New()
	ms := 120
	s.happened(t,
		fact{workspace: ada, kind: "completed", count: 1, messages: 2, at: "2026-11-10 00:00:00Z", bot: &bot, input: 10, output: 20, cost: 7, latency: &ms, provider: "p", model: "m"},
		fact{workspace: ada, kind: "completed", count: 1, messages: 2, at: "2026-11-10 23:59:59.999999Z", bot: &bot, input: 1, output: 2, latency: &ms},
		fact{workspace: ada, kind: "failed", count: 1, messages: 1, at: "2026-11-10 12:00:00Z", bot: &other},
		fact{workspace: ada, kind: "cancelled", count: 1, messages: 1, at: "2026-11-10 12:00:00Z", bot: &other},
		fact{workspace: ada, kind: "webhook_event", count: 1, at: "2026-11-10 12:00:00Z", bot: &bot},
		fact{workspace: ada, kind: "audit", count: 17, at: "2026-11-10 12:00:00Z"},
		fact{workspace: ada, kind: "completed", count: 1, messages: 2, at: "2026-11-12 01:00:00+02", latency: &ms}, // the 11th in UTC
		fact{workspace: ada, kind: "completed", count: 1, messages: 2, at: "2026-11-08 23:59:59Z", latency: &ms},   // before
		fact{workspace: ada, kind: "completed", count: 1, messages: 2, at: "2026-11-13 00:00:00Z", latency: &ms},   // after
		fact{workspace: eve, kind: "completed", count: 1, messages: 2, at: "2026-11-10 12:00:00Z", bot: &bot, input: 1000, latency: &ms},
	)
	require.Equal(t, 10, export(t, a))
	require.Zero(t, s.waiting(t))
	r := s.read(t, a, ada, november(t))
	require.Len(t, r.Periods, 4, "every day, also one on which nothing happened")
	tenth := analytics.Counts{
		Period: day(t, "2026-11-10"), Turns: 4, Completed: 2, Failed: 1, Messages: 6, WebhookEvents: 1, AuditEntries: 17,
		InputTokens: 11, OutputTokens: 22, CostMicros: 7,
	}
	require.Equal(t, analytics.Counts{Period: day(t, "2026-11-09")}, r.Periods[0].Counts)
	require.Equal(t, tenth, r.Periods[1].Counts)
	require.Equal(t, analytics.Counts{Period: day(t, "2026-11-11"), Turns: 1, Completed: 1, Messages: 2}, r.Periods[2].Counts)
	require.Equal(t, analytics.Counts{Period: day(t, "2026-11-12")}, r.Periods[3].Counts)
	require.EqualValues(t, 5, r.Total.Turns)
	require.EqualValues(t, 8, r.Total.Messages)

	// A failure that was taken up again is taken back, also by another export.
	s.happened(t,
		fact{workspace: ada, kind: "failed", count: -1, messages: -1, at: "2026-11-10 12:00:00Z", bot: &other},
		fact{workspace: ada, kind: "completed", count: 1, messages: 2, at: "2026-11-12 12:00:00Z", bot: &other, latency: &ms},
	)
	export(t, a)
	r = s.read(t, a, ada, november(t))
	require.Equal(t, []int64{3, 0}, []int64{r.Periods[1].Turns, r.Periods[1].Failed})
	require.Equal(t, []int64{5, 0, 4, 9}, []int64{r.Total.Turns, r.Total.Failed, r.Total.Completed, r.Total.Messages})

	q := november(t)
	q.BotID = &bot
	r = s.read(t, a, ada, q)
	require.Equal(t, []int64{2, 1, 0}, []int64{r.Total.Turns, r.Total.WebhookEvents, r.Total.AuditEntries}, "of one bot")
	require.EqualValues(t, 11, r.Total.InputTokens, "and not what another workspace has under the same bot id")
	r = s.read(t, a, eve, november(t))
	require.Equal(t, []int64{1, 1000, 0}, []int64{r.Total.Turns, r.Total.InputTokens, r.Total.AuditEntries})
	r = s.read(t, a, uuid.New(), november(t))
	require.Zero(t, r.Total.Counts, "a stranger sees nothing")
	require.Empty(t, r.Total.Latency)
	require.Len(t, r.Periods, 4)
}

func sumsMonths(t *testing.T, s site, a adapter) {
	t.Helper()
	ada, ms := uuid.New(), 5
	for _, at := range []string{"2026-09-14", "2026-09-15", "2026-09-30", "2026-11-01", "2026-11-09", "2026-11-10", "2026-12-01"} {
		s.happened(t, fact{workspace: ada, kind: "completed", count: 1, messages: 2, at: at + " 12:00Z", latency: &ms})
	}
	export(t, a)
	r := s.read(t, a, ada, analytics.Query{From: day(t, "2026-09-15"), To: day(t, "2026-11-10"), Monthly: true})
	var got []any
	for _, p := range r.Periods {
		got = append(got, p.Period.Format(time.DateOnly), p.Turns, p.Latency[5])
	}
	require.Equal(t, []any{"2026-09-01", int64(2), int64(2), "2026-10-01", int64(0), int64(0), "2026-11-01", int64(2), int64(2)}, got)
	require.EqualValues(t, 4, r.Total.Latency[5])
}

func countsDaysOfAZone(t *testing.T, s site, a adapter) {
	t.Helper()
	ada, ms := uuid.New(), 5
	for _, at := range []string{
		"2026-10-23 21:59:59Z", "2026-10-23 22:00Z", // midnight in Berlin, in summer
		"2026-10-25 22:30Z", "2026-10-25 23:00Z", // the day of 25 hours, and the midnight that ends it, in winter
		"2026-10-31 22:59Z", "2026-10-31 23:00Z",
	} {
		s.happened(t, fact{workspace: ada, kind: "completed", count: 1, messages: 2, at: at, latency: &ms})
	}
	export(t, a)
	read := func(zone, from, to string, monthly bool) (got []any) {
		location, err := time.LoadLocation(zone)
		require.NoError(t, err)
		r := s.read(t, a, ada, analytics.Query{From: day(t, from), To: day(t, to), Zone: location, Monthly: monthly})
		for _, p := range r.Periods {
			require.Equal(t, p.Turns, p.Latency[5])
			got = append(got, p.Period.Format(time.DateOnly), p.Turns)
		}
		return got
	}
	require.Equal(t, []any{"2026-10-24", int64(1), "2026-10-25", int64(1), "2026-10-26", int64(1)}, read("Europe/Berlin", "2026-10-24", "2026-10-27", false))
	require.Equal(t, []any{"2026-10-24", int64(2), "2026-10-25", int64(0), "2026-10-26", int64(2)}, read("Asia/Kathmandu", "2026-10-24", "2026-10-27", false), "UTC+05:45")
	require.Equal(t, []any{"2026-10-01", int64(4), "2026-11-01", int64(1)}, read("Europe/Berlin", "2026-10-24", "2026-11-02", true))
	require.Equal(t, []any{"2026-10-24", int64(0), "2026-10-25", int64(2)}, read("UTC", "2026-10-24", "2026-10-26", false))
	require.Equal(t, []any{"2026-04-24", int64(0), "2026-04-25", int64(0)}, read("Africa/Cairo", "2026-04-24", "2026-04-26", false), "a day without a midnight")
}

func tellsLatencies(t *testing.T, s site, a adapter) {
	t.Helper()
	ada := uuid.New()
	_, err := s.super.Exec(t.Context(), `INSERT INTO analytics_outbox (workspace_id, kind, count, at, latency_ms)
		SELECT $1, 'completed', 1, '2026-11-10Z', i * i FROM generate_series(1, 1000) i`, ada)
	require.NoError(t, err)
	negative, long := -3, 1<<30 // of a clock that went back, and of a turn that hung
	s.happened(t, fact{workspace: ada, kind: "completed", count: 1, at: "2026-11-12Z", latency: &negative},
		fact{workspace: ada, kind: "completed", count: 1, at: "2026-11-12Z", latency: &long})
	export(t, a)
	r := s.read(t, a, ada, november(t))
	for q, want := range map[float64]float64{0.5: 500 * 500, 0.95: 950 * 950, 0.99: 990 * 990} {
		got := r.Periods[1].Latency.Quantile(q)
		require.NotNil(t, got)
		require.InEpsilon(t, want, float64(got.Milliseconds()), 0.032)
	}
	require.Nil(t, r.Periods[0].Latency.Quantile(0.5))
	require.Zero(t, *r.Periods[3].Latency.Quantile(0.5))
	require.Greater(t, *r.Periods[3].Latency.Quantile(1), 4*time.Hour)
}

func countsOnceThoughCutShort(t *testing.T, s site, a adapter) {
	t.Helper()
	ada := uuid.New()
	s.many(t, ada, 100)
	for range 3 {
		a.interrupt(t)
		require.Equal(t, 100, s.waiting(t), "nothing is lost")
	}
	require.Equal(t, 100, export(t, a))
	r := s.read(t, a, ada, november(t))
	require.Equal(t, []int64{100, 200, 300}, []int64{r.Total.Turns, r.Total.Messages, r.Total.InputTokens})
	require.Equal(t, []int64{50, 50}, []int64{r.Periods[1].Turns, r.Periods[2].Turns})
	var timed int64
	for _, n := range r.Total.Latency {
		timed += n
	}
	require.EqualValues(t, 100, timed)
}

func countsOnceThoughMany(t *testing.T, s site, a adapter) {
	t.Helper()
	ada := uuid.New()
	s.many(t, ada, 2000)
	var exporters sync.WaitGroup
	for range 4 {
		exporters.Go(func() {
			for {
				n, err := a.Export(background(), 100)
				if err != nil || n == 0 {
					return // what is left the next one takes
				}
			}
		})
	}
	exporters.Wait()
	export(t, a)
	require.Zero(t, s.waiting(t))
	r := s.read(t, a, ada, november(t))
	require.Equal(t, []int64{2000, 4000, 6000}, []int64{r.Total.Turns, r.Total.Messages, r.Total.InputTokens})
}

func movesNoMore(t *testing.T, s site, a adapter) {
	t.Helper()
	s.many(t, uuid.New(), 25)
	for _, want := range []int{10, 10, 5, 0} {
		n, err := a.Export(t.Context(), 10)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
}

func tellsItsAge(t *testing.T, s site, a adapter) {
	t.Helper()
	ada, before := uuid.New(), time.Now().Add(-time.Second)
	s.many(t, ada, 1)
	written := time.Now().Add(time.Second)
	r := s.read(t, a, ada, november(t))
	require.True(t, r.AsOf.After(before) && r.AsOf.Before(written), "%s", r.AsOf)
	stuck := r.AsOf
	s.many(t, ada, 1)
	require.Equal(t, stuck, s.read(t, a, ada, november(t)).AsOf, "the oldest that waits")
	other := s.read(t, a, uuid.New(), november(t))
	require.WithinDuration(t, time.Now(), other.AsOf, 5*time.Second, "of another workspace nothing waits")
	export(t, a)
	require.WithinDuration(t, time.Now(), s.read(t, a, ada, november(t)).AsOf, 5*time.Second)
}

func dropsWhatIsClosed(t *testing.T, s site, a adapter) {
	t.Helper()
	ada, eve, ms := uuid.New(), uuid.New(), 5
	s.close(t, ada, "2026-11-11")
	for range 3 {
		s.happened(t,
			fact{workspace: ada, kind: "failed", count: -1, messages: -1, at: "2026-11-10 23:59:59.999999Z", latency: &ms},
			fact{workspace: ada, kind: "completed", count: 1, messages: 2, at: "2026-11-09 12:00Z", latency: &ms},
		)
	}
	_, err := a.Export(t.Context(), 2)
	require.NoError(t, err)
	s.happened(t,
		fact{workspace: ada, kind: "completed", count: 1, messages: 2, at: "2026-11-11 00:00Z", latency: &ms},
		fact{workspace: eve, kind: "completed", count: 1, messages: 2, at: "2026-11-10 12:00Z", latency: &ms},
	)
	export(t, a)
	require.Zero(t, s.waiting(t))
	r := s.read(t, a, ada, november(t))
	require.Equal(t, []int64{0, 0, 1, 0}, []int64{r.Periods[0].Turns, r.Periods[1].Turns, r.Periods[2].Turns, r.Periods[3].Turns})
	require.EqualValues(t, 1, r.Total.Latency[5])
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	q := november(t)
	q.Zone = berlin
	require.EqualValues(t, 1, s.read(t, a, ada, q).Total.Turns)
	require.EqualValues(t, 1, s.read(t, a, eve, november(t)).Total.Turns)
}
