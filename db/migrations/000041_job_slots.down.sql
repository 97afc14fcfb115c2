DROP FUNCTION app.take_jobs(double precision, text[], integer[], integer[], integer, integer[], integer[], integer[], integer[], integer[],
    uuid[], integer[], integer[], text[], uuid, text, text, integer);
CREATE OR REPLACE FUNCTION app.claim_jobs(most integer, lease_seconds double precision, kinds text[], room integer[], starting uuid)
    RETURNS TABLE (workspace_id uuid, id uuid, kind text, key text, payload jsonb, operation_id uuid, trace_id text,
                   attempt integer, failures integer, max_attempts integer, created_at timestamptz)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    -- The planner cannot know how few rows the jumps leave: it would read the whole table into a hash, and compile that.
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
    WITH RECURSIVE groups AS (
        (SELECT j.workspace_id, j.kind, j.priority, 1 AS n FROM public.job_queue j
          WHERE j.status = 'queued' AND j.workspace_id >= starting ORDER BY j.workspace_id, j.kind, j.priority LIMIT 1)
        UNION ALL
        SELECT further.workspace_id, further.kind, further.priority, g.n + 1
          FROM groups g
         CROSS JOIN LATERAL (
               SELECT j.workspace_id, j.kind, j.priority FROM public.job_queue j
                WHERE j.status = 'queued' AND (j.workspace_id, j.kind, j.priority) > (g.workspace_id, g.kind, g.priority)
                ORDER BY j.workspace_id, j.kind, j.priority LIMIT 1) further
         WHERE g.n < 500
    ), limits AS (
        SELECT g.workspace_id, g.kind, g.priority, l.room
          FROM groups g LEFT JOIN unnest(kinds, room) AS l(kind, room) ON l.kind = g.kind
    ), shares AS (
        SELECT w.workspace_id,
               (SELECT count(*) FROM public.job_queue r WHERE r.workspace_id = w.workspace_id AND r.status = 'running') AS running,
               (SELECT max(s.started_at) FROM public.job_queue s WHERE s.workspace_id = w.workspace_id AND s.started_at IS NOT NULL) AS served
          FROM (SELECT DISTINCT g.workspace_id FROM groups g) w
    ), placed AS (
        SELECT c.workspace_id, c.id, c.kind, c.priority, c.run_at, l.room, s.served,
               s.running + row_number() OVER (PARTITION BY c.workspace_id ORDER BY c.priority, c.run_at, c.id) AS share
          FROM limits l
          JOIN shares s ON s.workspace_id = l.workspace_id
         CROSS JOIN LATERAL (
               SELECT j.workspace_id, j.id, j.kind, j.priority, j.run_at FROM public.job_queue j
                WHERE j.status = 'queued' AND j.workspace_id = l.workspace_id AND j.kind = l.kind AND j.priority = l.priority
                  AND j.run_at <= now()
                ORDER BY j.run_at, j.id LIMIT coalesce(l.room, 4 * most)) c -- more than most: others claim at the same time
    ), candidates AS (
        SELECT p.*, row_number() OVER (PARTITION BY p.kind ORDER BY p.share, p.served NULLS FIRST, p.priority, p.run_at, p.id) AS of_kind
          FROM placed p
    ), picked AS (
        -- One by one in their order, so that no more are locked than are taken, and each is found by its primary key.
        SELECT locked.workspace_id, locked.id
          FROM (SELECT c.workspace_id, c.id FROM candidates c
                 WHERE c.room IS NULL OR c.of_kind <= c.room
                 ORDER BY c.share, c.served NULLS FIRST, c.priority, c.run_at, c.id) c
         CROSS JOIN LATERAL (
               SELECT j.workspace_id, j.id FROM public.job_queue j
                WHERE j.workspace_id = c.workspace_id AND j.id = c.id AND j.status = 'queued' FOR UPDATE SKIP LOCKED) locked
         LIMIT most
    ), claimed AS (
        UPDATE public.job_queue j
           SET status = 'running', attempt = j.attempt + 1, started_at = clock_timestamp(),
               lease_until = clock_timestamp() + make_interval(secs => lease_seconds)
          FROM picked p WHERE j.workspace_id = p.workspace_id AND j.id = p.id
     RETURNING j.workspace_id, j.id, j.kind, j.key, j.payload, j.operation_id, j.trace_id, j.attempt, j.failures, j.max_attempts,
               j.created_at
    )
    SELECT c.* FROM claimed c
    UNION ALL
    (SELECT g.workspace_id, '00000000-0000-0000-0000-000000000000'::uuid, '', '', 'null'::jsonb, NULL::uuid, '', 0, 0, 0, now()
       FROM groups g WHERE g.n = 500)
$$;
REVOKE SELECT (body) ON webhook_deliveries FROM parley_door;
DROP INDEX job_queue_next;
CREATE INDEX job_queue_next ON job_queue (workspace_id, kind, priority, run_at, id) WHERE status = 'queued';
ALTER TABLE job_queue DROP COLUMN target;
