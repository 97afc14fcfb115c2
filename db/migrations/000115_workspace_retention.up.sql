-- For how long a workspace keeps what it has; null: for ever. The rest is about runs, which remove what is older. run_started_at without
-- run_ended_at is a run that has more to do: it goes on once nobody holds it, until lease_until.
CREATE TABLE workspace_retention (
    workspace_id   uuid PRIMARY KEY REFERENCES workspaces (id),
    threads_days   integer CHECK (threads_days BETWEEN 1 AND 3650),
    events_days    integer CHECK (events_days BETWEEN 1 AND 3650),
    jobs_days      integer CHECK (jobs_days BETWEEN 1 AND 3650),
    usage_months   integer CHECK (usage_months BETWEEN 1 AND 120),
    next_run_at    timestamptz,
    lease_until    timestamptz,
    run_started_at timestamptz,
    run_ended_at   timestamptz,
    run_error      text,
    run_threads    bigint NOT NULL DEFAULT 0,
    run_events     bigint NOT NULL DEFAULT 0,
    run_jobs       bigint NOT NULL DEFAULT 0,
    run_usage      bigint NOT NULL DEFAULT 0
);
CREATE INDEX workspace_retention_due ON workspace_retention (next_run_at) WHERE next_run_at IS NOT NULL;
CREATE INDEX workspace_retention_unfinished ON workspace_retention (lease_until) WHERE run_started_at IS NOT NULL AND run_ended_at IS NULL;
SELECT app.wall('workspace_retention');
GRANT SELECT, INSERT, UPDATE ON workspace_retention TO parley_app;

-- Workspaces whose run is due or unfinished and which nobody works on, those first that have waited longest.
GRANT SELECT (workspace_id, next_run_at, lease_until, run_started_at, run_ended_at) ON workspace_retention TO parley_door;
CREATE POLICY door ON workspace_retention FOR SELECT TO parley_door USING (true);
CREATE FUNCTION app.locate_due_retention(max_rows integer) RETURNS TABLE (workspace_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.workspace_id
      FROM public.workspace_retention r JOIN public.workspaces w ON w.id = r.workspace_id
     WHERE (r.next_run_at <= now() OR r.run_started_at IS NOT NULL AND r.run_ended_at IS NULL)
       AND coalesce(r.lease_until <= now(), true) AND w.deleted_at IS NULL
     ORDER BY coalesce(r.lease_until, r.next_run_at), r.workspace_id
     LIMIT max_rows
$$;

-- Removes rows of the transaction's workspace that ended before a time: of those with the next ids after one, max_rows at the most, so that
-- the work of one call is bounded whatever stays. It returns how many it removed and the last id that it looked at; null: there are no more.
-- An id is a time (UUID v7): no row is older than its id.
CREATE FUNCTION app.remove_old(kind text, before timestamptz, after uuid, max_rows integer, OUT removed integer, OUT last uuid)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    workspace constant uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    bound     constant uuid := (lpad(to_hex(floor(extract(epoch FROM before) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
    ids       uuid[];
BEGIN
    CASE kind
    WHEN 'deliveries' THEN
        ids := ARRAY(SELECT d.id FROM public.webhook_deliveries d
                      WHERE d.workspace_id = workspace AND d.id > after AND d.id < bound ORDER BY d.id LIMIT max_rows);
        DELETE FROM public.webhook_deliveries d WHERE d.workspace_id = workspace AND d.id = ANY (ids) AND d.finished_at < before;
    WHEN 'bodies' THEN
        ids := ARRAY(SELECT b.event_id FROM public.event_bodies b
                      WHERE b.workspace_id = workspace AND b.event_id > after AND b.event_id < bound ORDER BY b.event_id LIMIT max_rows);
        DELETE FROM public.event_bodies b
         WHERE b.workspace_id = workspace AND b.event_id = ANY (ids) AND b.created_at < before
           AND NOT EXISTS (SELECT FROM public.webhook_deliveries d WHERE d.workspace_id = workspace AND d.event_id = b.event_id);
    WHEN 'received' THEN
        ids := ARRAY(SELECT e.id FROM public.webhook_events e
                      WHERE e.workspace_id = workspace AND e.id > after AND e.id < bound ORDER BY e.id LIMIT max_rows);
        DELETE FROM public.webhook_events e
         WHERE e.workspace_id = workspace AND e.id = ANY (ids) AND e.received_at < before AND e.status <> 'received';
    WHEN 'jobs' THEN
        ids := ARRAY(SELECT j.id FROM public.job_queue j
                      WHERE j.workspace_id = workspace AND j.id > after AND j.id < bound ORDER BY j.id LIMIT max_rows);
        DELETE FROM public.job_queue j WHERE j.workspace_id = workspace AND j.id = ANY (ids) AND j.status = 'done' AND j.finished_at < before;
    WHEN 'dead_letters' THEN
        ids := ARRAY(SELECT d.id FROM public.dead_letter_queue d
                      WHERE d.workspace_id = workspace AND d.id > after AND d.id < bound ORDER BY d.id LIMIT max_rows);
        DELETE FROM public.dead_letter_queue d WHERE d.workspace_id = workspace AND d.id = ANY (ids) AND d.created_at < before;
    END CASE;
    GET DIAGNOSTICS removed = ROW_COUNT;
    IF cardinality(ids) = max_rows THEN
        last := ids[max_rows];
    END IF;
END $$;

-- Also removes archives of exports that have threads which retention has removed since.
CREATE OR REPLACE FUNCTION app.locate_old_exports(max_rows integer) RETURNS TABLE (workspace_id uuid, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    (SELECT e.workspace_id, e.id FROM public.workspace_exports e WHERE e.status = 'completed' AND e.expires_at < now() LIMIT max_rows)
    UNION
    (SELECT e.workspace_id, e.id FROM public.workspace_exports e JOIN public.workspaces w ON w.id = e.workspace_id
      WHERE e.status = 'completed' AND w.deleted_at IS NOT NULL LIMIT max_rows)
    UNION
    (SELECT e.workspace_id, e.id FROM public.workspace_exports e
      WHERE e.status = 'completed'
        AND EXISTS (SELECT FROM public.audit_log a
                     WHERE a.workspace_id = e.workspace_id AND a.created_at >= e.started_at AND a.action <> 'turn.create'
                       AND (a.action IN ('thread.delete', 'message.delete', 'file.delete', 'document.delete', 'knowledge_base.delete', 'bot.delete')
                            OR a.action = 'retention.run' AND a.changes ->> 'threads' <> '0'))
      LIMIT max_rows)
    UNION
    (SELECT e.workspace_id, e.id FROM public.workspace_exports e
      WHERE e.status IN ('failed', 'expired') AND e.finished_at < now() - interval '30 days' LIMIT max_rows)
    LIMIT max_rows
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.locate_due_retention(integer) OWNER TO parley_door;
ALTER FUNCTION app.remove_old(text, timestamptz, uuid, integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.locate_due_retention(integer), app.remove_old(text, timestamptz, uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.locate_due_retention(integer), app.remove_old(text, timestamptz, uuid, integer) TO parley_app;
