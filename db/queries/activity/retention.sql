-- For how long a workspace keeps what it has and the runs that remove the rest.

-- name: GetRetention :one
SELECT * FROM workspace_retention WHERE workspace_id = @workspace_id;

-- name: LockRetention :one
SELECT * FROM workspace_retention WHERE workspace_id = @workspace_id FOR UPDATE;

-- name: PutRetention :one
-- The next run is due at once, and none where everything is kept.
INSERT INTO workspace_retention (workspace_id, threads_days, events_days, jobs_days, audit_days, usage_months, next_run_at)
VALUES (@workspace_id, @threads_days, @events_days, @jobs_days, @audit_days, @usage_months, @next_run_at)
ON CONFLICT (workspace_id) DO UPDATE
   SET threads_days = excluded.threads_days, events_days = excluded.events_days, jobs_days = excluded.jobs_days, audit_days = excluded.audit_days, usage_months = excluded.usage_months,
       next_run_at = excluded.next_run_at
RETURNING workspace_id;

-- name: DueRetention :many
-- Workspaces, of all, whose run is due or unfinished and which nobody works on.
SELECT workspace_id::uuid AS workspace_id FROM app.locate_due_retention(@max_rows::integer);

-- name: BeginRetention :one
-- Takes the workspace for some time. A run that has not ended goes on. No row where nothing is due, or another process has taken it.
WITH due AS (
    SELECT r.workspace_id, coalesce(r.run_started_at IS NOT NULL AND r.run_ended_at IS NULL, false) AS goes_on
      FROM workspace_retention r
      JOIN workspaces w ON w.id = r.workspace_id AND w.deleted_at IS NULL
     WHERE r.workspace_id = @workspace_id
       AND (r.next_run_at <= now() OR r.run_started_at IS NOT NULL AND r.run_ended_at IS NULL) AND coalesce(r.lease_until <= now(), true)
       FOR UPDATE OF r
)
UPDATE workspace_retention r
   SET lease_until = now() + make_interval(secs => @lease_seconds),
       next_run_at = CASE WHEN r.next_run_at <= now() THEN now() + make_interval(secs => @every_seconds) ELSE r.next_run_at END,
       run_started_at = CASE WHEN due.goes_on THEN r.run_started_at ELSE now() END,
       run_ended_at = NULL, run_error = NULL,
       run_threads = CASE WHEN due.goes_on THEN r.run_threads ELSE 0 END,
       run_events = CASE WHEN due.goes_on THEN r.run_events ELSE 0 END,
       run_jobs = CASE WHEN due.goes_on THEN r.run_jobs ELSE 0 END,
       run_audit = CASE WHEN due.goes_on THEN r.run_audit ELSE 0 END,
       run_usage = CASE WHEN due.goes_on THEN r.run_usage ELSE 0 END
  FROM due
 WHERE r.workspace_id = due.workspace_id
RETURNING r.workspace_id;

-- name: CountRetention :one
-- Adds what a step has removed.
UPDATE workspace_retention
   SET run_threads = run_threads + @threads, run_events = run_events + @events, run_jobs = run_jobs + @jobs, run_audit = run_audit + @audit, run_usage = run_usage + @usage
 WHERE workspace_id = @workspace_id
RETURNING workspace_id;

-- name: YieldRetention :one
-- Lets any process go on with a run that has not ended.
UPDATE workspace_retention SET lease_until = now() WHERE workspace_id = @workspace_id RETURNING workspace_id;

-- name: EndRetention :one
-- Ends a run; one that failed is followed by another soon, unless everything is kept by now.
UPDATE workspace_retention r
   SET lease_until = now(), run_ended_at = now(), run_error = nullif(@failure::text, ''),
       next_run_at = CASE WHEN @failure::text = '' OR r.next_run_at IS NULL THEN r.next_run_at ELSE least(r.next_run_at, now() + make_interval(secs => @retry_seconds)) END
 WHERE r.workspace_id = @workspace_id
RETURNING r.workspace_id;

-- name: RemoveOld :one
-- The zero id is the last where there are no more.
SELECT removed::integer AS removed, coalesce(last, '00000000-0000-0000-0000-000000000000')::uuid AS last FROM app.remove_old(@kind::text, @before::timestamptz, @after::uuid, @max_rows::integer);

-- name: CloseUsage :one
-- Has nothing counted any more that happened before a day.
UPDATE workspace_retention SET usage_before = greatest(usage_before, @before::date) WHERE workspace_id = @workspace_id RETURNING workspace_id;

-- name: RemoveOldUsage :one
SELECT removed::integer AS removed, more::boolean AS more FROM app.remove_old_usage(@kind::text, @before::date, @max_rows::integer);
