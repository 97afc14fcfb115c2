CREATE OR REPLACE FUNCTION app.abandoned_turns(most integer)
    RETURNS TABLE (workspace_id uuid, thread_id uuid, actor_id uuid, operation_id uuid, attempt integer)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.workspace_id, t.thread_id, t.actor_id, t.operation_id, t.attempt
      FROM public.llm_turns t
     WHERE t.finished_at IS NULL AND t.lease_until < now()
     ORDER BY t.lease_until
     LIMIT most
$$;
DROP FUNCTION app.reserved_cost(uuid, uuid);
ALTER TABLE llm_turns DROP COLUMN reserved_micros, DROP COLUMN usage_estimated;
