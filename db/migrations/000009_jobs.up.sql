-- What workers need of the queue. Nothing wrote to these two tables before.

-- attempt counts starts and is the fence: it only grows, so that of two workers who hold the same job one is late.
-- failures counts what went wrong, and is what max_attempts bounds: a job given back at a stop has not failed.
ALTER TABLE job_queue
    ADD COLUMN failures   integer NOT NULL DEFAULT 0,
    ADD COLUMN started_at timestamptz; -- of the newest attempt
ALTER TABLE job_queue SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
GRANT DELETE ON job_queue TO parley_app; -- for the move into the dead letters

-- A dead letter keeps what it takes to make the same job anew.
ALTER TABLE dead_letter_queue
    ADD COLUMN key          text NOT NULL DEFAULT gen_random_uuid()::text,
    ADD COLUMN priority     smallint NOT NULL DEFAULT 0,
    ADD COLUMN max_attempts integer NOT NULL DEFAULT 1,
    ADD COLUMN failures     integer NOT NULL DEFAULT 0;
ALTER TABLE dead_letter_queue
    ALTER COLUMN key DROP DEFAULT, ALTER COLUMN priority DROP DEFAULT,
    ALTER COLUMN max_attempts DROP DEFAULT, ALTER COLUMN failures DROP DEFAULT;
CREATE INDEX dead_letter_queue_by_key ON dead_letter_queue (workspace_id, kind, key);
CREATE INDEX dead_letter_queue_by_age ON dead_letter_queue USING brin (created_at) WITH (autosummarize = on);

-- The claim jumps from one (workspace, kind, priority) to the next in this index, and reads a few rows of each: however
-- many jobs a workspace has queued, or put off, nobody else's are behind them.
DROP INDEX job_queue_next;
CREATE INDEX job_queue_next ON job_queue (workspace_id, kind, priority, run_at, id) WHERE status = 'queued';
CREATE INDEX job_queue_running ON job_queue (workspace_id) WHERE status = 'running';
CREATE INDEX job_queue_served ON job_queue (workspace_id, started_at) WHERE started_at IS NOT NULL;
CREATE INDEX job_queue_by_age ON job_queue USING brin (created_at) WITH (autosummarize = on);

-- A history of errors with one more, of which the last 20 stay.
CREATE FUNCTION app.with_error(history jsonb, entry jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_agg(e ORDER BY n)
      FROM (SELECT e, n FROM jsonb_array_elements(history || entry) WITH ORDINALITY AS a(e, n) ORDER BY n DESC LIMIT 20) last
$$;

GRANT SELECT, DELETE, UPDATE (status, attempt, started_at, lease_until) ON job_queue TO parley_door;
CREATE POLICY door ON job_queue TO parley_door USING (true) WITH CHECK (true);
GRANT SELECT (workspace_id, id, created_at), DELETE ON dead_letter_queue TO parley_door;
CREATE POLICY door ON dead_letter_queue TO parley_door USING (true) WITH CHECK (true);

-- Takes jobs that are due, most of them at the most, and starts their next attempt under a lease.
--
-- Fair between workspaces: a candidate's share is its place within its workspace plus what runs of that workspace
-- already; the smallest share goes first, of equal ones that whose workspace was served longest ago. Within a workspace
-- the order is priority, run_at, id. No tenant passes another by a priority.
--
-- kinds and room say of which kinds the worker can take only so many. At most 500 groups of (workspace, kind, priority)
-- are looked at, from the workspace "starting" on; where there may be more, a last row without a job (its id is all
-- zeros) has the workspace to go on from.
CREATE FUNCTION app.claim_jobs(most integer, lease_seconds double precision, kinds text[], room integer[], starting uuid)
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

-- Extends the leases of running attempts and says which are still held.
CREATE FUNCTION app.extend_jobs(workspaces uuid[], ids uuid[], attempts integer[], lease_seconds double precision)
    RETURNS TABLE (id uuid, attempt integer)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE public.job_queue j SET lease_until = clock_timestamp() + make_interval(secs => lease_seconds)
      FROM unnest(workspaces, ids, attempts) AS held(workspace_id, id, attempt)
     WHERE j.workspace_id = held.workspace_id AND j.id = held.id AND j.attempt = held.attempt AND j.status = 'running'
 RETURNING j.id, j.attempt
$$;

-- Running jobs whose lease has run out.
CREATE FUNCTION app.lost_jobs(most integer)
    RETURNS TABLE (workspace_id uuid, id uuid, kind text, trace_id text, attempt integer, failures integer, max_attempts integer)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT j.workspace_id, j.id, j.kind, j.trace_id, j.attempt, j.failures, j.max_attempts
      FROM public.job_queue j
     WHERE j.status = 'running' AND j.lease_until < clock_timestamp()
     ORDER BY j.lease_until
     LIMIT most
$$;

-- Removes jobs done more than 7 days ago and dead letters older than 90; says how many.
CREATE FUNCTION app.expire_jobs(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    jobs    integer;
    letters integer;
BEGIN
    WITH old AS (
        SELECT j.workspace_id, j.id FROM public.job_queue j
         WHERE j.created_at < now() - interval '7 days' AND j.status = 'done' AND j.finished_at < now() - interval '7 days'
         LIMIT most FOR UPDATE SKIP LOCKED
    )
    DELETE FROM public.job_queue j USING old WHERE (j.workspace_id, j.id) = (old.workspace_id, old.id);
    GET DIAGNOSTICS jobs = ROW_COUNT;
    WITH old AS (
        SELECT d.workspace_id, d.id FROM public.dead_letter_queue d WHERE d.created_at < now() - interval '90 days' LIMIT most
    )
    DELETE FROM public.dead_letter_queue d USING old WHERE (d.workspace_id, d.id) = (old.workspace_id, old.id);
    GET DIAGNOSTICS letters = ROW_COUNT;
    RETURN jobs + letters;
END $$;

-- What is to be done every so often by one process of all: who is at it, and when it is due again. It is of no workspace.
CREATE TABLE periodic_tasks (
    name        text PRIMARY KEY,
    due_at      timestamptz NOT NULL,
    holder      uuid,
    lease_until timestamptz,
    CHECK ((holder IS NULL) = (lease_until IS NULL))
);
ALTER TABLE periodic_tasks ENABLE ROW LEVEL SECURITY;
ALTER TABLE periodic_tasks FORCE ROW LEVEL SECURITY;
CREATE POLICY door ON periodic_tasks TO parley_door USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON periodic_tasks TO parley_door;

-- Takes a task if it is due and nobody is at it: then 0. Else for how many seconds there is nothing to take.
CREATE FUNCTION app.begin_periodic(task text, worker uuid, lease_seconds double precision) RETURNS double precision
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    free_at timestamptz;
BEGIN
    INSERT INTO public.periodic_tasks (name, due_at) VALUES (task, clock_timestamp()) ON CONFLICT (name) DO NOTHING;
    UPDATE public.periodic_tasks p SET holder = worker, lease_until = clock_timestamp() + make_interval(secs => lease_seconds)
     WHERE p.name = task AND greatest(p.due_at, p.lease_until) <= clock_timestamp();
    IF FOUND THEN
        RETURN 0;
    END IF;
    SELECT greatest(p.due_at, p.lease_until) INTO free_at FROM public.periodic_tasks p WHERE p.name = task;
    RETURN greatest(extract(epoch FROM free_at - clock_timestamp()), 0.001);
END $$;

-- Gives a task back, due again in a while; nothing where another has taken it meanwhile.
CREATE FUNCTION app.end_periodic(task text, worker uuid, again_seconds double precision) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE public.periodic_tasks p
       SET holder = NULL, lease_until = NULL, due_at = clock_timestamp() + make_interval(secs => again_seconds)
     WHERE p.name = task AND p.holder = worker
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.claim_jobs(integer, double precision, text[], integer[], uuid) OWNER TO parley_door;
ALTER FUNCTION app.extend_jobs(uuid[], uuid[], integer[], double precision) OWNER TO parley_door;
ALTER FUNCTION app.lost_jobs(integer) OWNER TO parley_door;
ALTER FUNCTION app.expire_jobs(integer) OWNER TO parley_door;
ALTER FUNCTION app.begin_periodic(text, uuid, double precision) OWNER TO parley_door;
ALTER FUNCTION app.end_periodic(text, uuid, double precision) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.claim_jobs(integer, double precision, text[], integer[], uuid),
    app.extend_jobs(uuid[], uuid[], integer[], double precision), app.lost_jobs(integer), app.expire_jobs(integer),
    app.begin_periodic(text, uuid, double precision), app.end_periodic(text, uuid, double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.claim_jobs(integer, double precision, text[], integer[], uuid),
    app.extend_jobs(uuid[], uuid[], integer[], double precision), app.lost_jobs(integer), app.expire_jobs(integer),
    app.begin_periodic(text, uuid, double precision), app.end_periodic(text, uuid, double precision) TO parley_app;
