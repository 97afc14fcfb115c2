package app

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// deadLetter puts one into a workspace.
func deadLetter(t *testing.T, super *pgx.Conn, workspace, kind string) string {
	t.Helper()
	id := uuid.Must(uuid.NewV7()).String()
	_, err := super.Exec(t.Context(), `INSERT INTO dead_letter_queue (workspace_id, id, job_id, kind, key, payload, trace_id, priority, attempts, failures, max_attempts, errors)
		VALUES ($1, $2, gen_random_uuid(), $3, $4, '{"n": 1}', 'trace-1', 2, 5, 4, 4, '[{"attempt": 5, "at": "2026-01-02T03:04:05Z", "error": "no"}]')`,
		workspace, id, kind, "key of "+id)
	require.NoError(t, err)
	return id
}

// job queues one of a kind that nobody handles: whoever works takes it to the dead letters.
func job(t *testing.T, super *pgx.Conn, workspace, kind string) {
	t.Helper()
	_, err := super.Exec(t.Context(), `INSERT INTO job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts)
		VALUES ($1, $2, $3, $4, '{}', 'trace-1', 3)`, workspace, uuid.Must(uuid.NewV7()), kind, uuid.NewString())
	require.NoError(t, err)
}

func TestJobsAndDeadLettersAreListedInPages(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0")
	ada, eve := p.register(t), p.register(t)
	super := pg.Superuser(t, p.database)
	for n := range 5 {
		job(t, super, ada.workspace, []string{"note", "other"}[n%2])
		deadLetter(t, super, ada.workspace, []string{"note", "other"}[n%2])
	}
	job(t, super, eve.workspace, "note")
	deadLetter(t, super, eve.workspace, "note")
	for _, list := range []string{"/v1/jobs", "/v1/dead-letters"} {
		all := ada.get(t, list)
		require.Len(t, all.items(), 5, list)
		require.Len(t, ada.get(t, list+"?kind=other").items(), 2, list)
		seen, next := 0, ""
		for more := true; more; {
			a := ada.get(t, list+"?kind=note&limit=2"+next)
			require.Equal(t, http.StatusOK, a.Status, a)
			seen += len(a.items())
			more = a.at("has_more") == true
			next = "&cursor=" + a.text("next_cursor")
		}
		require.Equal(t, 3, seen, list)
		cursor := ada.get(t, list+"?limit=2").text("next_cursor")
		requireCode(t, ada.get(t, list+"?limit=2&kind=note&cursor="+cursor), http.StatusBadRequest, "BAD_REQUEST")
		requireCode(t, eve.get(t, list+"?limit=2&cursor="+cursor), http.StatusBadRequest, "BAD_REQUEST")
		requireWrong(t, ada.get(t, list+"?kind="+strings.Repeat("k", 101)), "kind")
	}
	cursor := ada.get(t, "/v1/jobs?limit=2").text("next_cursor")
	requireCode(t, ada.get(t, "/v1/dead-letters?limit=2&cursor="+cursor), http.StatusBadRequest, "BAD_REQUEST")
	require.Len(t, ada.get(t, "/v1/jobs?status=queued").items(), 5)
	require.Empty(t, ada.get(t, "/v1/jobs?status=done").items())
	requireWrong(t, ada.get(t, "/v1/jobs?status=lost"), "status")
}

func TestADeadLetterIsReadRetriedAndDiscarded(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0")
	ada := p.register(t)
	super := pg.Superuser(t, p.database)
	id, op := deadLetter(t, super, ada.workspace, "note"), uuid.NewString()
	path := "/v1/dead-letters/" + id
	whole := ada.get(t, path)
	require.Equal(t, map[string]any{"n": 1.0}, whole.at("payload"))
	require.Equal(t, "no", whole.text("last_error"))
	require.Len(t, whole.at("errors"), 1)

	first := ada.post(t, path+"/retry", nil, operation(op))
	require.Equal(t, http.StatusOK, first.Status, first)
	require.Equal(t, id, first.text("dead_letter_id"))
	for _, a := range atOnce(8, func() answer { return ada.post(t, path+"/retry", nil, operation(op)) }) {
		require.Equal(t, first.Raw, a.Raw)
		require.Equal(t, "true", a.Header.Get("X-Operation-Replayed"))
	}
	requireCode(t, ada.post(t, path+"/retry", nil), http.StatusNotFound, "NOT_FOUND")
	requireCode(t, ada.get(t, path), http.StatusNotFound, "NOT_FOUND")
	rows := auditRows(t, super, op)
	require.Len(t, rows, 1)
	require.Equal(t, "dead_letter.retry "+id, rows[0].Action+" "+rows[0].ResourceID)
	require.JSONEq(t, `{"kind": "note", "job_id": "`+first.text("job_id")+`"}`, rows[0].Changes)
	jobs := ada.get(t, "/v1/jobs").items()
	require.Len(t, jobs, 1)
	require.Equal(t, first.text("job_id"), jobs[0]["id"])
	require.Equal(t, "key of "+id, jobs[0]["key"])
	require.EqualValues(t, 0, jobs[0]["failures"])

	id, op = deadLetter(t, super, ada.workspace, "note"), uuid.NewString()
	_, err := super.Exec(t.Context(), `UPDATE dead_letter_queue SET key = (SELECT key FROM job_queue)`)
	require.NoError(t, err)
	requireCode(t, ada.post(t, "/v1/dead-letters/"+id+"/retry", nil), http.StatusConflict, "CONFLICT")
	require.Equal(t, http.StatusNoContent, ada.call(t, http.MethodDelete, "/v1/dead-letters/"+id, nil, operation(op)).Status)
	require.Equal(t, http.StatusNoContent, ada.call(t, http.MethodDelete, "/v1/dead-letters/"+id, nil, operation(op)).Status, "again")
	requireCode(t, ada.call(t, http.MethodDelete, "/v1/dead-letters/"+id, nil), http.StatusNotFound, "NOT_FOUND")
	rows = auditRows(t, super, op)
	require.Len(t, rows, 1)
	require.Equal(t, "dead_letter.discard "+id, rows[0].Action+" "+rows[0].ResourceID)
	require.Zero(t, count(t, super, `SELECT count(*) FROM dead_letter_queue`))
}

func TestARetryThatCannotBeAuditedDoesNotHappen(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0")
	ada := p.register(t)
	super := pg.Superuser(t, p.database)
	path := "/v1/dead-letters/" + deadLetter(t, super, ada.workspace, "note")
	_, err := super.Exec(t.Context(), `REVOKE INSERT ON audit_log FROM parley_app`)
	require.NoError(t, err)
	requireCode(t, ada.post(t, path+"/retry", nil), http.StatusInternalServerError, "INTERNAL_ERROR")
	requireCode(t, ada.post(t, "/v1/dead-letters/retry", `{}`), http.StatusInternalServerError, "INTERNAL_ERROR")
	requireCode(t, ada.call(t, http.MethodDelete, path, nil), http.StatusInternalServerError, "INTERNAL_ERROR")
	require.Equal(t, 1, count(t, super, `SELECT count(*) FROM dead_letter_queue`))
	require.Zero(t, count(t, super, `SELECT count(*) FROM job_queue`))
}

func TestManyDeadLettersAreRetriedByFilter(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0")
	ada, eve := p.register(t), p.register(t)
	super := pg.Superuser(t, p.database)
	foreign := deadLetter(t, super, eve.workspace, "note")
	var ids []string
	for range 102 {
		ids = append(ids, deadLetter(t, super, ada.workspace, "note"))
	}
	other := deadLetter(t, super, ada.workspace, "other")
	retry := func(body any, headers ...header) answer {
		return ada.post(t, "/v1/dead-letters/retry", body, headers...)
	}
	letters := func(a answer) (got []string) {
		require.Equal(t, http.StatusOK, a.Status, a)
		for _, item := range a.items() {
			got = append(got, item["dead_letter_id"].(string))
		}
		return got
	}
	require.Equal(t, ids[:1], letters(retry(map[string]any{"ids": []string{ids[0], foreign, uuid.NewString()}})), "a foreign one is like none")
	require.Empty(t, letters(retry(map[string]any{"kind": "note", "ids": []string{other}})))
	op := operation(uuid.NewString())
	a := retry(map[string]any{"kind": "note"}, op)
	require.Equal(t, ids[1:101], letters(a), "the oldest hundred")
	require.Equal(t, true, a.at("has_more"))
	require.Equal(t, a.Raw, retry(map[string]any{"kind": "note"}, op).Raw)
	require.Len(t, auditRows(t, super, op.value), 1)
	requireWrong(t, retry(map[string]any{"ids": []string{}}), "ids")
	requireWrong(t, retry(map[string]any{"knd": "note"}), "knd")
	require.Equal(t, []string{ids[101], other}, letters(retry(map[string]any{})))
	require.Equal(t, 103, count(t, super, `SELECT count(*) FROM job_queue WHERE workspace_id = $1`, ada.workspace))
	require.Equal(t, 1, count(t, super, `SELECT count(*) FROM dead_letter_queue`), "the stranger's")
}

func TestWorkersWorkBesideTheRequestsOrInAProcessOfTheirOwn(t *testing.T) {
	t.Parallel()
	p := start(t, "JOB_POLL_INTERVAL=20ms")
	ada := p.register(t)
	super := pg.Superuser(t, p.database)
	job(t, super, ada.workspace, "nobody's")
	dead := func(n int) func() bool {
		return func() bool { return len(ada.get(t, "/v1/dead-letters").items()) == n }
	}
	require.Eventually(t, dead(1), 20*time.Second, 10*time.Millisecond)
	require.Equal(t, ExitOK, p.stop())

	ada.program = startOn(t, p.database, append(p.settings, "WORKERS=0")...)
	job(t, super, ada.workspace, "nobody's")
	ctx, cancel := context.WithCancel(context.Background())
	log, code := newLogBuffer(), make(chan int, 1)
	var ended atomic.Bool
	go func() {
		code <- Run(ctx, "test", []string{"parley", "worker"}, append(p.settings, "WORKERS=2"), io.Discard, log)
		ended.Store(true)
	}()
	require.Eventually(t, dead(2), 20*time.Second, 10*time.Millisecond, "%s", log)
	require.False(t, ended.Load())
	cancel()
	require.Equal(t, ExitOK, <-code, log)
	require.Equal(t, ExitUsage, Run(t.Context(), "test", []string{"parley", "worker"}, append(p.settings, "WORKERS=0"), io.Discard, log))
}
