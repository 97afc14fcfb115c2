-- Jobs run in slots: a pool of them for deliveries, one for answers, one for all else. Those of a pool are of three sorts: for
-- targets that were quick (1), that are new (2) and that were slow recently (3). No workspace and no target takes more than
-- a part of them.

ALTER TABLE job_queue ADD COLUMN target text NOT NULL DEFAULT ''; -- what it waits for, such as the host of a delivery; '' for nothing in particular

-- The claim jumps from one (workspace, kind, target, priority) to the next in this index, and reads a few rows of each.
DROP INDEX job_queue_next;
CREATE INDEX job_queue_next ON job_queue (workspace_id, kind, target, priority, run_at, id) WHERE status = 'queued';

-- Takes jobs that are due and starts their next attempt under a lease.
--
-- A line (kinds, kind_pools, kind_room) for each kind that the process knows: its pool, and how many more may run; kinds that
-- it does not know belong to pool 0, and of each other_room may run. A line (pools, sorts, room, each_workspace, each_target)
-- for each sort of slots: how many are free, how many a workspace may have, how many a target may have over all workspaces (0:
-- any number), of which a workspace may have half. A line (held_workspaces, held_pools, held_sorts, held_targets) for each
-- attempt that the process runs.
--
-- Fair between workspaces: a candidate's share is its place within its workspace plus what runs of that workspace in the
-- pool already, in all processes; the smallest share goes first, of equal ones that whose workspace was served longest ago.
-- Within a workspace the order is priority, run_at, id. No tenant passes another by a priority.
--
-- At most 500 groups of (workspace, kind, target, priority) are looked at, those after the group that is given. A row whose
-- id is all zeros is no job: its workspace, kind, target and attempt (the priority) name the group to go on after, where
-- there may be more; its sort is 1 where other processes had locked jobs that could have been taken.
CREATE FUNCTION app.take_jobs(lease_seconds double precision,
        kinds text[], kind_pools integer[], kind_room integer[], other_room integer,
        pools integer[], sorts integer[], room integer[], each_workspace integer[], each_target integer[],
        held_workspaces uuid[], held_pools integer[], held_sorts integer[], held_targets text[],
        after_workspace uuid, after_kind text, after_target text, after_priority integer)
    RETURNS TABLE (workspace_id uuid, id uuid, kind text, key text, target text, sort integer, payload jsonb, operation_id uuid,
                   trace_id text, attempt integer, failures integer, max_attempts integer, created_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    -- The planner cannot know how few rows the jumps leave: it would read the whole table into a hash, and compile that.
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE groups AS (
        (SELECT j.workspace_id, j.kind, j.target, j.priority, 1 AS n FROM public.job_queue j
          WHERE j.status = 'queued' AND (j.workspace_id, j.kind, j.target, j.priority) > (after_workspace, after_kind, after_target, after_priority)
          ORDER BY j.workspace_id, j.kind, j.target, j.priority LIMIT 1)
        UNION ALL
        SELECT further.workspace_id, further.kind, further.target, further.priority, g.n + 1
          FROM groups g
         CROSS JOIN LATERAL (
               SELECT j.workspace_id, j.kind, j.target, j.priority FROM public.job_queue j
                WHERE j.status = 'queued' AND (j.workspace_id, j.kind, j.target, j.priority) > (g.workspace_id, g.kind, g.target, g.priority)
                ORDER BY j.workspace_id, j.kind, j.target, j.priority LIMIT 1) further
         WHERE g.n < 500
    ), of_kinds AS MATERIALIZED (
        SELECT k.kind, k.pool, k.room FROM unnest(kinds, kind_pools, kind_room) AS k(kind, pool, room)
    ), lanes AS MATERIALIZED (
        SELECT l.pool, l.sort, l.room, l.each_workspace, l.each_target
          FROM unnest(pools, sorts, room, each_workspace, each_target) AS l(pool, sort, room, each_workspace, each_target)
         WHERE l.room > 0
    ), held AS MATERIALIZED (
        SELECT h.workspace_id, h.pool, h.sort, h.target, count(*) AS n
          FROM unnest(held_workspaces, held_pools, held_sorts, held_targets) AS h(workspace_id, pool, sort, target) GROUP BY 1, 2, 3, 4
    ), served AS MATERIALIZED (
        SELECT w.workspace_id, w.pool,
               (SELECT count(*) FROM public.job_queue r LEFT JOIN of_kinds k ON k.kind = r.kind
                 WHERE r.workspace_id = w.workspace_id AND r.status = 'running' AND coalesce(k.pool, 0) = w.pool) AS running,
               (SELECT max(s.started_at) FROM public.job_queue s WHERE s.workspace_id = w.workspace_id AND s.started_at IS NOT NULL) AS at
          FROM (SELECT DISTINCT g.workspace_id, coalesce(k.pool, 0) AS pool FROM groups g LEFT JOIN of_kinds k ON k.kind = g.kind) w
    ), open AS (
        SELECT g.workspace_id, g.kind, g.target, g.priority, l.pool, l.sort, coalesce(k.room, other_room) AS kind_room,
               l.each_workspace - (SELECT coalesce(sum(h.n), 0) FROM held h
                   WHERE h.workspace_id = g.workspace_id AND h.pool = l.pool AND h.sort = l.sort) AS workspace_room,
               CASE WHEN l.each_target = 0 OR g.target = '' THEN 1000000 ELSE greatest(1, l.each_target / 2) - (SELECT coalesce(sum(h.n), 0) FROM held h
                   WHERE h.workspace_id = g.workspace_id AND h.pool = l.pool AND h.sort = l.sort AND h.target = g.target) END AS own_target_room,
               CASE WHEN l.each_target = 0 OR g.target = '' THEN 1000000 ELSE l.each_target - (SELECT coalesce(sum(h.n), 0) FROM held h
                   WHERE h.pool = l.pool AND h.sort = l.sort AND h.target = g.target) END AS target_room,
               l.room AS enough
          FROM groups g
          LEFT JOIN of_kinds k ON k.kind = g.kind
          LEFT JOIN public.job_targets t ON t.workspace_id = g.workspace_id AND t.kind = g.kind AND t.target = g.target
          JOIN lanes l ON l.pool = coalesce(k.pool, 0) AND l.sort = CASE WHEN t.until > now() THEN CASE WHEN t.slow THEN 3 ELSE 1 END ELSE 2 END
    ), of_targets AS (
        SELECT c.id, c.run_at, o.*, row_number() OVER (PARTITION BY o.workspace_id, o.pool, o.sort, o.target ORDER BY o.priority, c.run_at, c.id) AS place
          FROM open o
         CROSS JOIN LATERAL (
               SELECT j.id, j.run_at FROM public.job_queue j
                WHERE j.status = 'queued' AND j.workspace_id = o.workspace_id AND j.kind = o.kind AND j.target = o.target AND j.priority = o.priority
                  AND j.run_at <= now()
                ORDER BY j.run_at, j.id LIMIT greatest(0, least(o.kind_room, o.workspace_room, o.own_target_room, o.target_room, o.enough))) c
    ), of_workspaces AS (
        SELECT t.*, s.running, s.at,
               row_number() OVER (PARTITION BY t.workspace_id, t.pool, t.sort ORDER BY t.priority, t.run_at, t.id) AS share
          FROM of_targets t
          JOIN served s ON s.workspace_id = t.workspace_id AND s.pool = t.pool
         WHERE t.place <= t.own_target_room
    ), candidates AS (
        SELECT w.*,
               row_number() OVER (PARTITION BY w.kind ORDER BY w.running + w.share, w.at NULLS FIRST, w.priority, w.run_at, w.id) AS of_kind,
               row_number() OVER (PARTITION BY w.pool, w.sort, w.target ORDER BY w.running + w.share, w.at NULLS FIRST, w.priority, w.run_at, w.id) AS of_target
          FROM of_workspaces w
         WHERE w.share <= w.workspace_room
    ), eligible AS MATERIALIZED (
        SELECT c.workspace_id, c.id, c.pool, c.sort,
               row_number() OVER (PARTITION BY c.pool, c.sort ORDER BY c.running + c.share, c.at NULLS FIRST, c.priority, c.run_at, c.id) AS place
          FROM candidates c WHERE c.of_kind <= c.kind_room AND c.of_target <= c.target_room
    ), picked AS MATERIALIZED (
        -- One by one in their order, so that no more are locked than are taken, and each is found by its primary key.
        SELECT taken.workspace_id, taken.id, l.sort
          FROM lanes l
         CROSS JOIN LATERAL (
               SELECT locked.workspace_id, locked.id
                 FROM (SELECT e.workspace_id, e.id FROM eligible e WHERE e.pool = l.pool AND e.sort = l.sort ORDER BY e.place) e
                CROSS JOIN LATERAL (
                      SELECT j.workspace_id, j.id FROM public.job_queue j
                       WHERE j.workspace_id = e.workspace_id AND j.id = e.id AND j.status = 'queued' FOR UPDATE SKIP LOCKED) locked
                LIMIT l.room) taken
    ), claimed AS (
        UPDATE public.job_queue j
           SET status = 'running', attempt = j.attempt + 1, started_at = clock_timestamp(),
               lease_until = clock_timestamp() + make_interval(secs => lease_seconds)
          FROM picked p WHERE j.workspace_id = p.workspace_id AND j.id = p.id
     RETURNING j.workspace_id, j.id, j.kind, j.key, j.target, p.sort, j.payload, j.operation_id, j.trace_id, j.attempt, j.failures,
               j.max_attempts, j.created_at
    ), missed AS (
        SELECT (SELECT coalesce(sum(least(l.room, (SELECT count(*) FROM eligible e WHERE e.pool = l.pool AND e.sort = l.sort))), 0) FROM lanes l)
             > (SELECT count(*) FROM picked) AS some
    )
    SELECT c.* FROM claimed c
    UNION ALL
    (SELECT g.workspace_id, '00000000-0000-0000-0000-000000000000'::uuid, g.kind, '', g.target, m.some::integer, 'null'::jsonb, NULL::uuid, '',
            g.priority::integer, 0, 0, now()
       FROM missed m
       LEFT JOIN groups g ON g.n = 500
      WHERE m.some OR g.n IS NOT NULL);
END $$;

-- The claim of the release before, whose processes may still run: by the index of now, and without deliveries whose body is in
-- event_bodies, where they would not look for it. Those wait for a process of this release.
GRANT SELECT (body) ON webhook_deliveries TO parley_door;
CREATE OR REPLACE FUNCTION app.claim_jobs(most integer, lease_seconds double precision, kinds text[], room integer[], starting uuid)
    RETURNS TABLE (workspace_id uuid, id uuid, kind text, key text, payload jsonb, operation_id uuid, trace_id text,
                   attempt integer, failures integer, max_attempts integer, created_at timestamptz)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
    WITH RECURSIVE groups AS (
        (SELECT j.workspace_id, j.kind, j.target, j.priority, 1 AS n FROM public.job_queue j
          WHERE j.status = 'queued' AND j.workspace_id >= starting ORDER BY j.workspace_id, j.kind, j.target, j.priority LIMIT 1)
        UNION ALL
        SELECT further.workspace_id, further.kind, further.target, further.priority, g.n + 1
          FROM groups g
         CROSS JOIN LATERAL (
               SELECT j.workspace_id, j.kind, j.target, j.priority FROM public.job_queue j
                WHERE j.status = 'queued' AND (j.workspace_id, j.kind, j.target, j.priority) > (g.workspace_id, g.kind, g.target, g.priority)
                ORDER BY j.workspace_id, j.kind, j.target, j.priority LIMIT 1) further
         WHERE g.n < 500
    ), limits AS (
        SELECT g.workspace_id, g.kind, g.target, g.priority, l.room
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
                WHERE j.status = 'queued' AND j.workspace_id = l.workspace_id AND j.kind = l.kind AND j.target = l.target AND j.priority = l.priority
                  AND j.run_at <= now()
                  AND NOT (j.kind = 'webhook.deliver' AND EXISTS (
                      SELECT FROM public.webhook_deliveries d
                       WHERE d.workspace_id = j.workspace_id AND d.id = CASE WHEN j.key ~ '^[0-9a-f-]{36}$' THEN j.key::uuid END AND d.body = 'null'))
                ORDER BY j.run_at, j.id LIMIT coalesce(l.room, 4 * most)) c -- more than most: others claim at the same time
    ), candidates AS (
        SELECT p.*, row_number() OVER (PARTITION BY p.kind ORDER BY p.share, p.served NULLS FIRST, p.priority, p.run_at, p.id) AS of_kind
          FROM placed p
    ), picked AS (
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

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.take_jobs(double precision, text[], integer[], integer[], integer, integer[], integer[], integer[], integer[], integer[],
    uuid[], integer[], integer[], text[], uuid, text, text, integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.take_jobs(double precision, text[], integer[], integer[], integer, integer[], integer[], integer[], integer[],
    integer[], uuid[], integer[], integer[], text[], uuid, text, text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.take_jobs(double precision, text[], integer[], integer[], integer, integer[], integer[], integer[], integer[],
    integer[], uuid[], integer[], integer[], text[], uuid, text, text, integer) TO parley_app;
