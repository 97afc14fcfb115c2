DROP FUNCTION app.ended_access(jsonb);
CREATE FUNCTION app.ended_access(callers jsonb) RETURNS TABLE (n integer, state text)
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    c record;
BEGIN
    FOR c IN SELECT * FROM jsonb_to_recordset(callers) AS caller(n integer, session uuid, "user" uuid, key uuid, workspace uuid,
                                                                 roles text[], may text, deleted boolean) LOOP
        BEGIN
            IF c.key IS NULL THEN
                PERFORM app.enter(c.session, c."user", c.workspace, c.roles, c.deleted);
            ELSE
                PERFORM app.enter_key(c.key, c.workspace, c.roles, c.may);
            END IF;
        EXCEPTION WHEN SQLSTATE 'PY401' OR SQLSTATE 'PY403' OR SQLSTATE 'PY410' OR SQLSTATE 'PYROL' OR SQLSTATE 'PYKEY' THEN
            RETURN QUERY SELECT c.n, SQLSTATE;
        END;
    END LOOP;
    PERFORM set_config('app.workspace_id', '', true), set_config('app.user_id', '', true),
            set_config('app.role', '', true), set_config('app.bots', '', true);
END $$;
REVOKE EXECUTE ON FUNCTION app.ended_access(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.ended_access(jsonb) TO parley_app;
