-- Who of some people has logged in from a network.
CREATE FUNCTION app.known_to_network(people uuid[], from_network bytea) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT n.user_id FROM public.login_networks n
     WHERE n.user_id = ANY (people) AND n.network = from_network AND n.used_at > now() - interval '180 days'
$$;
GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.known_to_network(uuid[], bytea) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.known_to_network(uuid[], bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.known_to_network(uuid[], bytea) TO parley_app;
