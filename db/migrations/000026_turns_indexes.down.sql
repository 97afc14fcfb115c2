CREATE OR REPLACE FUNCTION app.abandoned_turns(most integer)
    RETURNS TABLE (workspace_id uuid, thread_id uuid, actor_id uuid, operation_id uuid, attempt integer)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.workspace_id, t.thread_id, t.actor_id, t.operation_id, t.attempt
      FROM public.llm_turns t
     WHERE t.status = 'running' AND t.lease_until < now()
     ORDER BY t.lease_until
     LIMIT most
$$;
DROP INDEX llm_turns_running, llm_turns_one_running;
CREATE INDEX llm_turns_running ON llm_turns (lease_until) WHERE status = 'running';
CREATE UNIQUE INDEX llm_turns_one_running ON llm_turns (workspace_id, thread_id) WHERE status = 'running';
