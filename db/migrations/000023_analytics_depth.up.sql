-- How much waits to be counted for analytics, over all workspaces, for operators: a number only, and what it costs is bounded.
CREATE FUNCTION app.analytics_depth(most integer) RETURNS integer
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*)::integer FROM (SELECT 1 FROM public.analytics_outbox LIMIT most) waiting
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.analytics_depth(integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.analytics_depth(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.analytics_depth(integer) TO parley_app;
