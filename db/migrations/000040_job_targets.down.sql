CREATE OR REPLACE FUNCTION app.expire_jobs(most integer) RETURNS integer
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
ALTER TABLE dead_letter_queue DROP COLUMN target;
DROP TABLE job_targets;
