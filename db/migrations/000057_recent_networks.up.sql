-- Keyed hashes of the networks that somebody has logged in from, with the time, the latest first: not who it was.
CREATE FUNCTION app.recent_networks(after timestamptz, most integer) RETURNS TABLE (network bytea, used_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT n.network, n.used_at FROM public.login_networks n
     WHERE n.used_at > greatest(after, now() - interval '180 days')
     ORDER BY n.used_at DESC LIMIT most
$$;
GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.recent_networks(timestamptz, integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.recent_networks(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.recent_networks(timestamptz, integer) TO parley_app;
