-- An address that nobody has tried for a day starts anew, so its row is of no use: strangers choose what is in this table.
CREATE FUNCTION app.forget_login_attempts() RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM public.login_attempts WHERE updated_at < now() - interval '1 day'
$$;

-- The first master secret that this database was used with, as a print of it: processes with another one know each
-- other's operations, cursors and seals not, and should hear of it.
CREATE TABLE installation (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    key_print bytea NOT NULL CHECK (octet_length(key_print) = 32)
);
ALTER TABLE installation ENABLE ROW LEVEL SECURITY;
ALTER TABLE installation FORCE ROW LEVEL SECURITY;
CREATE POLICY door ON installation TO parley_door USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON installation TO parley_door;
CREATE FUNCTION app.is_first_key(print bytea) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO public.installation (key_print) VALUES (print) ON CONFLICT DO NOTHING;
    SELECT key_print = print FROM public.installation
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.forget_login_attempts() OWNER TO parley_door;
ALTER FUNCTION app.is_first_key(bytea) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.forget_login_attempts(), app.is_first_key(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.forget_login_attempts(), app.is_first_key(bytea) TO parley_app;
