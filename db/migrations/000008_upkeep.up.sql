-- Upkeep looks across workspaces, so it goes through doors of its own.

-- Answers are kept for seven days; then a tombstone stays for ninety more, so that a late retry is told that it is
-- late rather than taking effect again.
CREATE INDEX operations_by_age ON operations USING brin (created_at) WITH (autosummarize = on);
GRANT SELECT, DELETE, UPDATE (body, content_type, location, etag) ON operations TO parley_door;
CREATE POLICY door ON operations TO parley_door USING (true) WITH CHECK (true);
CREATE FUNCTION app.expire_operations(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    emptied integer;
    buried  integer;
BEGIN
    WITH old AS (
        SELECT o.workspace_id, o.actor_id, o.id FROM public.operations o
         WHERE o.created_at < now() - interval '7 days' AND o.finished_at < now() - interval '7 days' AND o.body IS NOT NULL
         LIMIT most FOR UPDATE SKIP LOCKED
    )
    UPDATE public.operations o SET body = NULL, content_type = NULL, location = NULL, etag = NULL
      FROM old WHERE (o.workspace_id, o.actor_id, o.id) = (old.workspace_id, old.actor_id, old.id);
    GET DIAGNOSTICS emptied = ROW_COUNT;
    WITH old AS (
        SELECT o.workspace_id, o.actor_id, o.id FROM public.operations o
         WHERE o.created_at < now() - interval '97 days' LIMIT most FOR UPDATE SKIP LOCKED
    )
    DELETE FROM public.operations o USING old WHERE (o.workspace_id, o.actor_id, o.id) = (old.workspace_id, old.actor_id, old.id);
    GET DIAGNOSTICS buried = ROW_COUNT;
    RETURN emptied + buried;
END $$;

-- Turns that were left running: their lease has run out.
CREATE INDEX llm_turns_running ON llm_turns (lease_until) WHERE status = 'running';
GRANT SELECT ON llm_turns TO parley_door;
CREATE POLICY door ON llm_turns FOR SELECT TO parley_door USING (true);
CREATE FUNCTION app.abandoned_turns(most integer)
    RETURNS TABLE (workspace_id uuid, thread_id uuid, actor_id uuid, operation_id uuid, attempt integer)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.workspace_id, t.thread_id, t.actor_id, t.operation_id, t.attempt
      FROM public.llm_turns t
     WHERE t.status = 'running' AND t.lease_until < now()
     ORDER BY t.lease_until
     LIMIT most
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.expire_operations(integer) OWNER TO parley_door;
ALTER FUNCTION app.abandoned_turns(integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.expire_operations(integer), app.abandoned_turns(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.expire_operations(integer), app.abandoned_turns(integer) TO parley_app;
