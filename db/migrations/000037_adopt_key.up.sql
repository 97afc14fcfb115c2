-- Makes another master secret the one that the database is used with: only the operator's command calls it.
CREATE FUNCTION app.adopt_key(print bytea) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO public.installation (key_print) VALUES (print) ON CONFLICT (singleton) DO UPDATE SET key_print = excluded.key_print
$$;

GRANT UPDATE (key_print) ON installation TO parley_door;
GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.adopt_key(bytea) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.adopt_key(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.adopt_key(bytea) TO parley_app;
