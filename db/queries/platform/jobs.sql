-- name: EnqueueJob :exec
-- Under a key that was used before, be it queued, running, done or dead, it makes nothing and wakes nobody.
WITH queued AS (
    INSERT INTO job_queue (workspace_id, id, kind, key, target, payload, operation_id, trace_id, priority, max_attempts, run_at)
    SELECT @workspace_id, @id, @kind, @key, @target, @payload, sqlc.narg('operation_id')::uuid, @trace_id, @priority, @max_attempts,
           coalesce(sqlc.narg('run_at')::timestamptz, now())
     WHERE NOT EXISTS (SELECT 1 FROM dead_letter_queue d WHERE d.workspace_id = @workspace_id AND d.kind = @kind AND d.key = @key)
        ON CONFLICT ON CONSTRAINT job_queue_key DO NOTHING
 RETURNING run_at
)
SELECT pg_notify('parley_jobs', '') FROM queued WHERE queued.run_at <= now();

-- name: RequeueJob :exec
-- Has the job under a key run now and with all its attempts before it, whether it waits, is done, dead or was never there.
-- One that runs is left to it.
WITH dead AS (
    DELETE FROM dead_letter_queue d WHERE d.workspace_id = @workspace_id AND d.kind = @kind AND d.key = @key
), again AS (
    UPDATE job_queue j SET status = 'queued', target = @target, run_at = now(), failures = 0, errors = '[]', finished_at = NULL
     WHERE j.workspace_id = @workspace_id AND j.kind = @kind AND j.key = @key AND j.status <> 'running'
 RETURNING j.id
), fresh AS (
    INSERT INTO job_queue (workspace_id, id, kind, key, target, payload, operation_id, trace_id, priority, max_attempts)
    SELECT @workspace_id, @id, @kind, @key, @target, @payload, sqlc.narg('operation_id')::uuid, @trace_id, @priority, @max_attempts
     WHERE NOT EXISTS (SELECT 1 FROM again)
        ON CONFLICT ON CONSTRAINT job_queue_key DO NOTHING
)
SELECT pg_notify('parley_jobs', '');

-- name: TakeJobs :many
SELECT coalesce(workspace_id, '00000000-0000-0000-0000-000000000000')::uuid AS workspace_id, id::uuid AS id, coalesce(kind, '')::text AS kind, key::text AS key,
       coalesce(target, '')::text AS target, sort::integer AS sort, payload::jsonb AS payload,
       coalesce(operation_id, '00000000-0000-0000-0000-000000000000')::uuid AS operation_id, trace_id::text AS trace_id,
       coalesce(attempt, 0)::integer AS attempt, failures::integer AS failures, max_attempts::integer AS max_attempts,
       created_at::timestamptz AS created_at
  FROM app.take_jobs(@lease_seconds::double precision, @kinds::text[], @kind_pools::integer[], @kind_slots::integer[], @other_slots::integer,
                      @pools::integer[], @sorts::integer[], @free_slots::integer[], @each_workspace::integer[], @each_target::integer[],
                      @held_workspaces::uuid[], @held_pools::integer[], @held_sorts::integer[], @held_targets::text[],
                      @after_workspace::uuid, @after_kind::text, @after_target::text, @after_priority::integer);

-- name: MarkTarget :one
-- Stores for a while that a target is slow, or quick.
INSERT INTO job_targets (workspace_id, kind, target, slow, until)
VALUES (@workspace_id, @kind, @target, @slow, now() + make_interval(secs => @seconds::double precision))
    ON CONFLICT (workspace_id, kind, target) DO UPDATE SET slow = excluded.slow, until = excluded.until
RETURNING target;

-- name: ExtendJobs :many
SELECT id::uuid AS id, attempt::integer AS attempt
  FROM app.extend_jobs(@workspaces::uuid[], @ids::uuid[], @attempts::integer[], @lease_seconds::double precision);

-- name: LostJobs :many
-- Jobs of all workspaces whose lease has run out.
SELECT workspace_id::uuid AS workspace_id, id::uuid AS id FROM app.locate_lost_jobs(@max_rows::integer);

-- name: LostJob :one
-- One of them, as its own tenant; no row where somebody has taken it since.
SELECT kind, trace_id, attempt, failures, max_attempts
  FROM job_queue
 WHERE workspace_id = @workspace_id AND id = @id AND status = 'running' AND lease_until < clock_timestamp();

-- name: FinishJob :exec
-- Compare and set: raises PY404 unless this very attempt is still running, so that a late worker's effects roll back.
WITH done AS (
    UPDATE job_queue SET status = 'done', finished_at = now(), lease_until = NULL
     WHERE workspace_id = @workspace_id AND id = @id AND attempt = @attempt AND status = 'running'
 RETURNING id
)
SELECT app.require(EXISTS (SELECT 1 FROM done), 'job');

-- name: CompleteJob :one
UPDATE job_queue SET status = 'done', finished_at = now(), lease_until = NULL
 WHERE workspace_id = @workspace_id AND id = @id AND attempt = @attempt AND status = 'running'
RETURNING id;

-- name: PutOffJob :one
-- After a failure: again in a while. With only_lost it must be one whose lease has run out, also at this moment.
UPDATE job_queue
   SET status = 'queued', lease_until = NULL, failures = failures + 1,
       run_at = clock_timestamp() + make_interval(secs => @delay_seconds::double precision),
       errors = app.with_error(errors, @error::jsonb)
 WHERE workspace_id = @workspace_id AND id = @id AND attempt = @attempt AND status = 'running'
   AND (NOT @only_lost::boolean OR lease_until < clock_timestamp())
RETURNING id;

-- name: DeferJob :one
-- Not yet: again in a while, which is no failure.
UPDATE job_queue
   SET status = 'queued', lease_until = NULL, run_at = clock_timestamp() + make_interval(secs => @delay_seconds::double precision)
 WHERE workspace_id = @workspace_id AND id = @id AND attempt = @attempt AND status = 'running'
RETURNING id;

-- name: GiveUpJob :one
-- After the last failure: into the dead letters.
WITH dead AS (
    DELETE FROM job_queue j
     WHERE j.workspace_id = @workspace_id AND j.id = @id AND j.attempt = @attempt AND j.status = 'running'
       AND (NOT @only_lost::boolean OR j.lease_until < clock_timestamp())
 RETURNING j.*
)
INSERT INTO dead_letter_queue (workspace_id, id, job_id, kind, key, target, payload, operation_id, trace_id, priority, attempts, failures, max_attempts, errors)
SELECT dead.workspace_id, @dead_letter_id, dead.id, dead.kind, dead.key, dead.target, dead.payload, dead.operation_id, dead.trace_id, dead.priority,
       dead.attempt, dead.failures + 1, dead.max_attempts, app.with_error(dead.errors, @error::jsonb)
  FROM dead
RETURNING dead_letter_queue.id, dead_letter_queue.key, dead_letter_queue.payload, dead_letter_queue.operation_id,
          dead_letter_queue.attempts, dead_letter_queue.failures, dead_letter_queue.created_at;

-- name: ReleaseJob :one
-- Gives a running attempt back unfinished: another worker may take it at once, and it has not failed.
WITH released AS (
    UPDATE job_queue SET status = 'queued', lease_until = NULL
     WHERE workspace_id = @workspace_id AND id = @id AND attempt = @attempt AND status = 'running'
 RETURNING id
)
SELECT released.id, pg_notify('parley_jobs', '')::text AS woken FROM released;

-- name: ExpireJobs :one
SELECT app.expire_jobs(@max_rows::integer)::integer;

-- name: BeginPeriodic :one
SELECT app.begin_periodic(@task::text, @worker::uuid, @lease_seconds::double precision)::double precision;

-- name: EndPeriodic :exec
SELECT app.end_periodic(@task::text, @worker::uuid, @again_seconds::double precision);

-- name: ListJobs :many
SELECT id, kind, key, status, priority, attempt, failures, max_attempts, operation_id, trace_id, run_at, started_at, finished_at,
       created_at, coalesce(errors -> -1 ->> 'error', '')::text AS last_error
  FROM job_queue
 WHERE workspace_id = @workspace_id
   AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before')::uuid)
   AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status')::text)
   AND (sqlc.narg('kind')::text IS NULL OR kind = sqlc.narg('kind')::text)
 ORDER BY id DESC
 LIMIT @count;

-- name: ListDeadLetters :many
SELECT id, job_id, kind, key, attempts, failures, operation_id, trace_id, created_at, coalesce(errors -> -1 ->> 'error', '')::text AS last_error
  FROM dead_letter_queue
 WHERE workspace_id = @workspace_id
   AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before')::uuid)
   AND (sqlc.narg('kind')::text IS NULL OR kind = sqlc.narg('kind')::text)
 ORDER BY id DESC
 LIMIT @count;

-- name: GetDeadLetter :one
SELECT id, job_id, kind, key, attempts, failures, operation_id, trace_id, created_at, coalesce(errors -> -1 ->> 'error', '')::text AS last_error,
       payload, errors
  FROM dead_letter_queue
 WHERE workspace_id = @workspace_id AND id = @id;

-- name: RetryDeadLetters :many
-- Makes the jobs of dead letters anew, the oldest first, and removes the dead letters. A dead letter whose key another job has
-- taken meanwhile stays.
WITH letters AS (
    SELECT l.id, l.kind, l.key, l.target, l.payload, l.operation_id, l.trace_id, l.priority, l.max_attempts, row_number() OVER (ORDER BY l.id) AS n
      FROM dead_letter_queue l
     WHERE l.workspace_id = @workspace_id
       AND (sqlc.narg('kind')::text IS NULL OR l.kind = sqlc.narg('kind')::text)
       AND (sqlc.narg('ids')::uuid[] IS NULL OR l.id = ANY (sqlc.narg('ids')::uuid[]))
     ORDER BY l.id
     LIMIT cardinality(@job_ids::uuid[])
), fresh AS (
    SELECT (@job_ids::uuid[])[n]::uuid AS id, n FROM generate_series(1, cardinality(@job_ids::uuid[])) AS n
), queued AS (
    INSERT INTO job_queue (workspace_id, id, kind, key, target, payload, operation_id, trace_id, priority, max_attempts)
    SELECT @workspace_id, fresh.id, letters.kind, letters.key, letters.target, letters.payload, letters.operation_id, letters.trace_id, letters.priority,
           letters.max_attempts
      FROM letters JOIN fresh ON fresh.n = letters.n
        ON CONFLICT ON CONSTRAINT job_queue_key DO NOTHING
 RETURNING id
), gone AS (
    DELETE FROM dead_letter_queue d
     USING letters JOIN fresh ON fresh.n = letters.n JOIN queued ON queued.id = fresh.id
     WHERE d.workspace_id = @workspace_id AND d.id = letters.id
 RETURNING d.id
)
SELECT letters.id AS dead_letter_id, fresh.id AS job_id, letters.kind, pg_notify('parley_jobs', '')::text AS woken
  FROM gone JOIN letters ON letters.id = gone.id JOIN fresh ON fresh.n = letters.n
 ORDER BY letters.id;

-- name: DiscardDeadLetter :one
DELETE FROM dead_letter_queue WHERE workspace_id = @workspace_id AND id = @id RETURNING kind;

-- name: QueueDepth :one
SELECT queued::bigint AS queued, running::bigint AS running, dead::bigint AS dead, oldest_seconds::double precision AS oldest_seconds
  FROM app.queue_depth();

-- name: FindJob :one
SELECT status FROM job_queue WHERE workspace_id = @workspace_id AND id = @id;

-- name: HurryJob :one
-- Has a job that waits run now; no row where it does not wait.
WITH hurried AS (
    UPDATE job_queue SET run_at = now() WHERE workspace_id = @workspace_id AND id = @id AND status = 'queued'
 RETURNING kind
)
SELECT hurried.kind, pg_notify('parley_jobs', '')::text AS woken FROM hurried;

-- name: CancelJob :one
-- Moves a job that waits to the dead letters; no row where it does not wait.
WITH dead AS (
    DELETE FROM job_queue j WHERE j.workspace_id = @workspace_id AND j.id = @id AND j.status = 'queued' RETURNING j.*
)
INSERT INTO dead_letter_queue (workspace_id, id, job_id, kind, key, target, payload, operation_id, trace_id, priority, attempts, failures, max_attempts, errors)
SELECT dead.workspace_id, @dead_letter_id, dead.id, dead.kind, dead.key, dead.target, dead.payload, dead.operation_id, dead.trace_id, dead.priority,
       dead.attempt, dead.failures, dead.max_attempts, app.with_error(dead.errors, @error::jsonb)
  FROM dead
RETURNING dead_letter_queue.id, dead_letter_queue.job_id, dead_letter_queue.kind, dead_letter_queue.key, dead_letter_queue.payload,
          dead_letter_queue.operation_id, dead_letter_queue.trace_id, dead_letter_queue.attempts, dead_letter_queue.failures,
          dead_letter_queue.created_at;

-- name: JobsToReseal :many
-- Jobs of a kind and their dead letters whose payload has a text under a name that does not begin as it should.
SELECT j.id, false AS dead, j.payload
  FROM job_queue j
 WHERE j.workspace_id = @workspace_id AND j.kind = @kind AND j.id > @after AND left(j.payload ->> @name::text, 12) <> @mark::text
 UNION ALL
SELECT d.id, true, d.payload
  FROM dead_letter_queue d
 WHERE d.workspace_id = @workspace_id AND d.kind = @kind AND d.id > @after AND left(d.payload ->> @name::text, 12) <> @mark::text
 ORDER BY 1
 LIMIT @count;

-- name: ResealJob :exec
-- Replaces the payload of a job, unless that has changed.
UPDATE job_queue SET payload = @payload WHERE workspace_id = @workspace_id AND id = @id AND payload = @before;

-- name: ResealDeadLetter :exec
UPDATE dead_letter_queue SET payload = @payload WHERE workspace_id = @workspace_id AND id = @id AND payload = @before;
