-- How often in a row an address was tried with a wrong password, known or not: it slows guessing down, and tells
-- nobody which addresses are known. Addresses are kept as a keyed hash only.
CREATE TABLE login_attempts (
    address_hash  bytea PRIMARY KEY CHECK (octet_length(address_hash) = 32),
    failures      integer NOT NULL,
    blocked_until timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE login_attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE login_attempts FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON login_attempts TO parley_door;
CREATE POLICY door ON login_attempts TO parley_door USING (true) WITH CHECK (true);

-- Counts an attempt before it is made, so that many at once are counted too. Answers for how many seconds the address
-- is blocked; 0 means: go on. The first four failures cost nothing, then 2, 4, 8 … seconds, five minutes at the most.
CREATE FUNCTION app.begin_login(address bytea) RETURNS double precision
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    left_over double precision;
BEGIN
    INSERT INTO public.login_attempts AS a (address_hash, failures, blocked_until)
    VALUES (address, 1, now())
    ON CONFLICT (address_hash) DO UPDATE
       SET failures = CASE WHEN a.updated_at < now() - interval '1 day' THEN 1 ELSE a.failures + 1 END,
           blocked_until = clock_timestamp() + CASE WHEN a.failures < 4 OR a.updated_at < now() - interval '1 day' THEN interval '0'
               ELSE least(interval '1 second' * (2 ^ least(a.failures - 3, 10)), interval '5 minutes') END,
           updated_at = clock_timestamp()
     WHERE a.blocked_until <= clock_timestamp();
    IF FOUND THEN
        RETURN 0;
    END IF;
    SELECT extract(epoch FROM a.blocked_until - clock_timestamp()) INTO left_over
      FROM public.login_attempts a WHERE a.address_hash = address;
    RETURN greatest(coalesce(left_over, 0), 0.001);
END $$;

-- Forgets the failures of an address, after the right password.
CREATE FUNCTION app.end_login(address bytea) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM public.login_attempts WHERE address_hash = address
$$;

-- Ends every session of the user of this transaction but one, in whatever workspace.
GRANT UPDATE (revoked_at) ON sessions TO parley_door;
CREATE POLICY door_end ON sessions FOR UPDATE TO parley_door USING (true) WITH CHECK (true);
CREATE FUNCTION app.end_other_sessions(keep uuid) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH ended AS (
        UPDATE public.sessions SET revoked_at = now()
         WHERE user_id = nullif(current_setting('app.user_id', true), '')::uuid AND id <> keep AND revoked_at IS NULL
     RETURNING 1
    )
    SELECT count(*)::integer FROM ended
$$;
CREATE INDEX sessions_of_user ON sessions (user_id) WHERE revoked_at IS NULL;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.begin_login(bytea) OWNER TO parley_door;
ALTER FUNCTION app.end_login(bytea) OWNER TO parley_door;
ALTER FUNCTION app.end_other_sessions(uuid) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.begin_login(bytea), app.end_login(bytea), app.end_other_sessions(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.begin_login(bytea), app.end_login(bytea), app.end_other_sessions(uuid) TO parley_app;
