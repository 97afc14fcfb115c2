CREATE OR REPLACE FUNCTION app.ended_access(callers jsonb) RETURNS TABLE (n integer, state text, detail text)
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    c    record;
    said text;
BEGIN
    FOR c IN SELECT * FROM jsonb_to_recordset(callers) AS caller(n integer, session uuid, "user" uuid, key uuid, home uuid, workspace uuid,
                                                                 roles text[], may text, deleted boolean, without_factor boolean) LOOP
        BEGIN
            IF c.key IS NOT NULL THEN
                PERFORM app.enter_key(c.key, c.workspace, c.roles, c.may);
            ELSIF c.home IS NULL THEN
                PERFORM app.enter(c.session, c."user", c.workspace, c.roles, c.deleted);
            ELSE
                PERFORM app.enter(c.session, c."user", c.home, c.workspace, c.roles, c.deleted, false, coalesce(c.without_factor, true));
            END IF;
        EXCEPTION WHEN OTHERS THEN
            IF SQLSTATE NOT LIKE 'PY%' THEN
                RAISE;
            END IF;
            GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
            RETURN QUERY SELECT c.n, SQLSTATE, said;
        END;
    END LOOP;
    PERFORM app.set_tenant('', '', '', '');
END $$;
DROP FUNCTION app.enter_end_user(uuid, uuid, uuid, uuid, text[], text);
REVOKE SELECT (deleted_at) ON bots FROM parley_door;
DROP POLICY door_entry ON bots;
DROP TABLE end_users;
