-- What a turn may cost while it runs, and whether what it has used is an estimate.
ALTER TABLE llm_turns
    ADD COLUMN reserved_micros bigint, -- of the workspace's limit of costs, for the attempt that runs
    ADD COLUMN usage_estimated boolean NOT NULL DEFAULT false;

-- The cost reserved by the workspace's turns that run, without one of them. What a process that has died had reserved counts
-- until the lease of its turn ends.
CREATE FUNCTION app.reserved_cost(workspace uuid, without uuid) RETURNS bigint
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT coalesce(sum(t.reserved_micros), 0) FROM public.llm_turns t
             WHERE t.workspace_id = workspace AND t.finished_at IS NULL AND t.lease_until > now() AND t.id IS DISTINCT FROM without);
END $$;
REVOKE EXECUTE ON FUNCTION app.reserved_cost(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.reserved_cost(uuid, uuid) TO parley_app;

-- One workspace's turns are not taken up again before another's: first the oldest of each.
CREATE OR REPLACE FUNCTION app.abandoned_turns(most integer)
    RETURNS TABLE (workspace_id uuid, thread_id uuid, actor_id uuid, operation_id uuid, attempt integer)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.workspace_id, t.thread_id, t.actor_id, t.operation_id, t.attempt
      FROM (SELECT a.workspace_id, a.thread_id, a.actor_id, a.operation_id, a.attempt, a.lease_until,
                   row_number() OVER (PARTITION BY a.workspace_id ORDER BY a.lease_until) AS place
              FROM public.llm_turns a
             WHERE a.finished_at IS NULL AND a.lease_until < now()) t
     ORDER BY t.place, t.lease_until
     LIMIT most
$$;
