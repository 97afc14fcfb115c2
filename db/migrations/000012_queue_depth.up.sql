-- How much work waits, over all workspaces, for operators: numbers only. What is done is not counted, as it is much.
CREATE FUNCTION app.queue_depth()
    RETURNS TABLE (queued bigint, running bigint, dead bigint, oldest_seconds double precision)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT (SELECT count(*) FROM public.job_queue j WHERE j.status = 'queued'),
           (SELECT count(*) FROM public.job_queue j WHERE j.status = 'running'),
           (SELECT count(*) FROM public.dead_letter_queue d),
           coalesce((SELECT extract(epoch FROM now() - min(j.run_at)) FROM public.job_queue j
                      WHERE j.status = 'queued' AND j.run_at <= now()), 0)::double precision
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.queue_depth() OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.queue_depth() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.queue_depth() TO parley_app;
