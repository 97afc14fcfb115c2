-- A change of the address of an account has two links, one to each address. The first that is used waits for the other.
ALTER TABLE account_links ADD COLUMN proved_at timestamptz;

-- Whether nobody has an account yet, for who makes the first one in this transaction: another one waits for its end.
CREATE FUNCTION app.begin_set_up() RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('the first account', 0));
    RETURN NOT EXISTS (SELECT FROM public.users);
END $$;
GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.begin_set_up() OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.begin_set_up() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.begin_set_up() TO parley_app;
