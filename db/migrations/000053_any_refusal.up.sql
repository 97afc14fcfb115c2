-- Whatever the entry refuses a caller for, also for a reason that is newer than this function, is said of that caller alone:
-- it must not keep others from being asked for. What it says besides (detail) tells reasons of one state apart.
DROP FUNCTION app.ended_access(jsonb);
CREATE FUNCTION app.ended_access(callers jsonb) RETURNS TABLE (n integer, state text, detail text)
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    c    record;
    said text;
BEGIN
    FOR c IN SELECT * FROM jsonb_to_recordset(callers) AS caller(n integer, session uuid, "user" uuid, key uuid, workspace uuid,
                                                                 roles text[], may text, deleted boolean) LOOP
        BEGIN
            IF c.key IS NULL THEN
                PERFORM app.enter(c.session, c."user", c.workspace, c.roles, c.deleted);
            ELSE
                PERFORM app.enter_key(c.key, c.workspace, c.roles, c.may);
            END IF;
        EXCEPTION WHEN OTHERS THEN
            IF SQLSTATE NOT LIKE 'PY%' THEN
                RAISE;
            END IF;
            GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
            RETURN QUERY SELECT c.n, SQLSTATE, said;
        END;
    END LOOP;
    PERFORM set_config('app.workspace_id', '', true), set_config('app.user_id', '', true),
            set_config('app.role', '', true), set_config('app.bots', '', true);
END $$;
REVOKE EXECUTE ON FUNCTION app.ended_access(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.ended_access(jsonb) TO parley_app;
