-- The indexes of running turns are for those who look for running turns. With the condition on status the planner took them
-- to find one turn as well, whose status has to be 'running': each turn that ended read the entries of all that ran, or had
-- run since the last vacuum, in whatever workspace. (A turn is finished if and only if it does not run: llm_turns_check1.)
DROP INDEX llm_turns_running, llm_turns_one_running;
CREATE INDEX llm_turns_running ON llm_turns (lease_until) WHERE finished_at IS NULL;
CREATE UNIQUE INDEX llm_turns_one_running ON llm_turns (workspace_id, thread_id) WHERE finished_at IS NULL;
CREATE OR REPLACE FUNCTION app.abandoned_turns(most integer)
    RETURNS TABLE (workspace_id uuid, thread_id uuid, actor_id uuid, operation_id uuid, attempt integer)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.workspace_id, t.thread_id, t.actor_id, t.operation_id, t.attempt
      FROM public.llm_turns t
     WHERE t.finished_at IS NULL AND t.lease_until < now()
     ORDER BY t.lease_until
     LIMIT most
$$;
