CREATE OR REPLACE FUNCTION app.ended_access(callers jsonb) RETURNS TABLE (n integer, state text, detail text)
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
COMMENT ON FUNCTION app.enter(uuid, uuid, uuid) IS NULL;
COMMENT ON FUNCTION app.enter(uuid, uuid, uuid, text[], boolean) IS NULL;
DROP FUNCTION app.enter(uuid, uuid, uuid, uuid, text[], boolean);
DROP FUNCTION app.set_tenant(text, text, text, text);
ALTER TABLE sessions DROP COLUMN workspace_token_generation;
