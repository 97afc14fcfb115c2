package activity

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestJobsAndDeadLettersAreListedInPages(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0")
	ada, eve := p.Register(t), p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	for n := range 5 {
		harness.Job(t, super, ada.Workspace, []string{"note", "other"}[n%2])
		harness.DeadLetter(t, super, ada.Workspace, []string{"note", "other"}[n%2])
	}
	harness.Job(t, super, eve.Workspace, "note")
	harness.DeadLetter(t, super, eve.Workspace, "note")
	for _, list := range []string{"/v1/jobs", "/v1/dead-letters"} {
		all := ada.Get(t, list)
		require.Len(t, all.Items(), 5, list)
		require.Len(t, ada.Get(t, list+"?kind=other").Items(), 2, list)
		seen, next := 0, ""
		for more := true; more; {
			a := ada.Get(t, list+"?kind=note&limit=2"+next)
			require.Equal(t, http.StatusOK, a.Status, a)
			seen += len(a.Items())
			more = a.At("has_more") == true
			next = "&cursor=" + a.Text("next_cursor")
		}
		require.Equal(t, 3, seen, list)
		cursor := ada.Get(t, list+"?limit=2").Text("next_cursor")
		harness.RequireCode(t, ada.Get(t, list+"?limit=2&kind=note&cursor="+cursor), http.StatusBadRequest, "BAD_REQUEST")
		harness.RequireCode(t, eve.Get(t, list+"?limit=2&cursor="+cursor), http.StatusBadRequest, "BAD_REQUEST")
		harness.RequireWrong(t, ada.Get(t, list+"?kind="+strings.Repeat("k", 101)), "kind")
	}
	cursor := ada.Get(t, "/v1/jobs?limit=2").Text("next_cursor")
	harness.RequireCode(t, ada.Get(t, "/v1/dead-letters?limit=2&cursor="+cursor), http.StatusBadRequest, "BAD_REQUEST")
	require.Len(t, ada.Get(t, "/v1/jobs?status=queued").Items(), 5)
	require.Empty(t, ada.Get(t, "/v1/jobs?status=done").Items())
	harness.RequireWrong(t, ada.Get(t, "/v1/jobs?status=lost"), "status")
}

func TestADeadLetterIsReadRetriedAndDiscarded(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0")
	ada := p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	id, op := harness.DeadLetter(t, super, ada.Workspace, "note"), uuid.NewString()
	path := "/v1/dead-letters/" + id
	whole := ada.Get(t, path)
	require.Equal(t, map[string]any{"n": 1.0}, whole.At("payload"))
	require.Equal(t, "no", whole.Text("last_error"))
	require.Len(t, whole.At("errors"), 1)

	first := ada.Post(t, path+"/retry", nil, harness.Operation(op))
	require.Equal(t, http.StatusOK, first.Status, first)
	require.Equal(t, id, first.Text("dead_letter_id"))
	for _, a := range harness.AtOnce(8, func() harness.Answer { return ada.Post(t, path+"/retry", nil, harness.Operation(op)) }) {
		require.Equal(t, first.Raw, a.Raw)
		require.Equal(t, "true", a.Header.Get("X-Operation-Replayed"))
	}
	harness.RequireCode(t, ada.Post(t, path+"/retry", nil), http.StatusNotFound, "NOT_FOUND")
	harness.RequireCode(t, ada.Get(t, path), http.StatusNotFound, "NOT_FOUND")
	rows := harness.AuditRows(t, super, op)
	require.Len(t, rows, 1)
	require.Equal(t, "dead_letter.retry "+id, rows[0].Action+" "+rows[0].ResourceID)
	require.JSONEq(t, `{"kind": "note", "job_id": "`+first.Text("job_id")+`"}`, rows[0].Changes)
	jobs := ada.Get(t, "/v1/jobs").Items()
	require.Len(t, jobs, 1)
	require.Equal(t, first.Text("job_id"), jobs[0]["id"])
	require.Equal(t, "key of "+id, jobs[0]["key"])
	require.EqualValues(t, 0, jobs[0]["failures"])

	id, op = harness.DeadLetter(t, super, ada.Workspace, "note"), uuid.NewString()
	_, err := super.Exec(t.Context(), `UPDATE dead_letter_queue SET key = (SELECT key FROM job_queue)`)
	require.NoError(t, err)
	harness.RequireCode(t, ada.Post(t, "/v1/dead-letters/"+id+"/retry", nil), http.StatusConflict, "CONFLICT")
	require.Equal(t, http.StatusNoContent, ada.Call(t, http.MethodDelete, "/v1/dead-letters/"+id, nil, harness.Operation(op)).Status)
	require.Equal(t, http.StatusNoContent, ada.Call(t, http.MethodDelete, "/v1/dead-letters/"+id, nil, harness.Operation(op)).Status, "again")
	harness.RequireCode(t, ada.Call(t, http.MethodDelete, "/v1/dead-letters/"+id, nil), http.StatusNotFound, "NOT_FOUND")
	rows = harness.AuditRows(t, super, op)
	require.Len(t, rows, 1)
	require.Equal(t, "dead_letter.discard "+id, rows[0].Action+" "+rows[0].ResourceID)
	require.Zero(t, harness.Count(t, super, `SELECT count(*) FROM dead_letter_queue`))
}

func TestARetryThatCannotBeAuditedDoesNotHappen(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0")
	ada := p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	path := "/v1/dead-letters/" + harness.DeadLetter(t, super, ada.Workspace, "note")
	_, err := super.Exec(t.Context(), `REVOKE INSERT ON audit_log FROM parley_app`)
	require.NoError(t, err)
	harness.RequireCode(t, ada.Post(t, path+"/retry", nil), http.StatusInternalServerError, "INTERNAL_ERROR")
	harness.RequireCode(t, ada.Post(t, "/v1/dead-letters/retry", `{}`), http.StatusInternalServerError, "INTERNAL_ERROR")
	harness.RequireCode(t, ada.Call(t, http.MethodDelete, path, nil), http.StatusInternalServerError, "INTERNAL_ERROR")
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM dead_letter_queue`))
	require.Zero(t, harness.Count(t, super, `SELECT count(*) FROM job_queue`))
}

func TestManyDeadLettersAreRetriedByFilter(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0")
	ada, eve := p.Register(t), p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	foreign := harness.DeadLetter(t, super, eve.Workspace, "note")
	var ids []string
	for range 102 {
		ids = append(ids, harness.DeadLetter(t, super, ada.Workspace, "note"))
	}
	other := harness.DeadLetter(t, super, ada.Workspace, "other")
	retry := func(body any, headers ...harness.Header) harness.Answer {
		return ada.Post(t, "/v1/dead-letters/retry", body, headers...)
	}
	letters := func(a harness.Answer) (got []string) {
		require.Equal(t, http.StatusOK, a.Status, a)
		for _, item := range a.Items() {
			got = append(got, item["dead_letter_id"].(string))
		}
		return got
	}
	require.Equal(t, ids[:1], letters(retry(map[string]any{"ids": []string{ids[0], foreign, uuid.NewString()}})), "a foreign one is like none")
	require.Empty(t, letters(retry(map[string]any{"kind": "note", "ids": []string{other}})))
	op := harness.Operation(uuid.NewString())
	a := retry(map[string]any{"kind": "note"}, op)
	require.Equal(t, ids[1:101], letters(a), "the oldest hundred")
	require.Equal(t, true, a.At("has_more"))
	require.Equal(t, a.Raw, retry(map[string]any{"kind": "note"}, op).Raw)
	require.Len(t, harness.AuditRows(t, super, op.Value), 1)
	harness.RequireWrong(t, retry(map[string]any{"ids": []string{}}), "ids")
	harness.RequireWrong(t, retry(map[string]any{"knd": "note"}), "knd")
	require.Equal(t, []string{ids[101], other}, letters(retry(map[string]any{})))
	require.Equal(t, 103, harness.Count(t, super, `SELECT count(*) FROM job_queue WHERE workspace_id = $1`, ada.Workspace))
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM dead_letter_queue`), "the stranger's")
}

func TestWorkersWorkBesideTheRequestsOrInAProcessOfTheirOwn(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "JOB_POLL_INTERVAL=20ms")
	ada := p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	harness.Job(t, super, ada.Workspace, "nobody's")
	dead := func(n int) func() bool {
		return func() bool { return len(ada.Get(t, "/v1/dead-letters").Items()) == n }
	}
	require.Eventually(t, dead(1), time.Minute, 10*time.Millisecond)
	require.Equal(t, app.ExitOK, p.Stop())

	ada.Program = harness.StartOn(t, p.Database, append(p.Settings, "WORKERS=0")...)
	harness.Job(t, super, ada.Workspace, "nobody's")
	ctx, cancel := context.WithCancel(context.Background())
	log, code := harness.NewLogBuffer(), make(chan int, 1)
	var ended atomic.Bool
	go func() {
		code <- app.Run(ctx, "test", []string{"parley", "worker"}, append(p.Settings, "WORKERS=2"), io.Discard, log)
		ended.Store(true)
	}()
	require.Eventually(t, dead(2), time.Minute, 10*time.Millisecond, "%s", log)
	require.False(t, ended.Load())
	cancel()
	require.Equal(t, app.ExitOK, <-code, log)
	require.Equal(t, app.ExitUsage, app.Run(t.Context(), "test", []string{"parley", "worker"}, append(p.Settings, "WORKERS=0"), io.Discard, log))
}
