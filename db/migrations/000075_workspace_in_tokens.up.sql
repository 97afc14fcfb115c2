-- Tokens name the workspace of their session, and the entry and refresh ask that workspace alone: with several database servers
-- no other would have to be asked. What a token says is not trusted: a session that is not in the workspace that it names has
-- ended.

-- Refresh tokens are made anew from their session's row, so the row says which of them names the workspace. A process of the release
-- before makes tokens that do not; it leaves the column behind when it begins a generation.
ALTER TABLE sessions ADD COLUMN workspace_token_generation integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN sessions.workspace_token_generation IS
    'the generation whose refresh token names the workspace; 0 or another number than generation: the one that is good now does not';

-- Sets whom the transaction works for: the workspace, the user or API key, and of an API key its role and the bots that it is
-- limited to. Row-level security compares with these settings alone, and nothing else sets them. An empty text is nobody, nowhere,
-- no key and no limit. The result means nothing: a single expression is planned as part of the statement that asks for it, which
-- makes the call free.
CREATE FUNCTION app.set_tenant(workspace text, usr text, role text, bots text) RETURNS text
    LANGUAGE sql AS $$
    SELECT set_config('app.workspace_id', workspace, true) || set_config('app.user_id', usr, true)
        || set_config('app.role', role, true) || set_config('app.bots', bots, true)
$$;
REVOKE EXECUTE ON FUNCTION app.set_tenant(text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.set_tenant(text, text, text, text) TO parley_app, parley_door;

-- The first statement of every call with a session of a workspace: lets a living session of home into a workspace, if its user is a
-- member with one of these roles (none given: any) and the workspace is not deleted (or may be), and raises for all else. The
-- functions without home are those of the releases before, which may still run while this one is rolled out.
CREATE FUNCTION app.enter(session uuid, usr uuid, home uuid, workspace uuid, roles text[], deleted boolean) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    alive boolean;
    role  text;
    gone  boolean;
BEGIN
    SELECT s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now(), m.role, w.deleted_at IS NOT NULL
      INTO alive, role, gone
      FROM public.sessions s
      LEFT JOIN public.workspace_members m ON m.workspace_id = workspace AND m.user_id = s.user_id
      LEFT JOIN public.workspaces w ON w.id = m.workspace_id
     WHERE s.workspace_id = home AND s.id = session AND s.user_id = usr;
    IF alive IS NOT TRUE THEN
        RAISE EXCEPTION 'the session has ended' USING ERRCODE = 'PY401';
    END IF;
    IF role IS NULL THEN
        RAISE EXCEPTION 'not a member of this workspace' USING ERRCODE = 'PY403';
    END IF;
    IF gone AND NOT deleted THEN
        RAISE EXCEPTION 'the workspace is deleted' USING ERRCODE = 'PY410';
    END IF;
    IF cardinality(roles) > 0 AND role <> ALL (roles) THEN
        RAISE EXCEPTION 'the role does not allow this' USING ERRCODE = 'PYROL', DETAIL = role;
    END IF;
    PERFORM app.set_tenant(workspace::text, usr::text, '', '');
    RETURN role;
END $$;
GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.enter(uuid, uuid, uuid, uuid, text[], boolean) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.enter(uuid, uuid, uuid, uuid, text[], boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.enter(uuid, uuid, uuid, uuid, text[], boolean) TO parley_app;
COMMENT ON FUNCTION app.enter(uuid, uuid, uuid, text[], boolean) IS 'for the release before: it goes a release later';
COMMENT ON FUNCTION app.enter(uuid, uuid, uuid) IS 'for releases before: it goes a release later';

-- A caller of a process of the release before has no home.
CREATE OR REPLACE FUNCTION app.ended_access(callers jsonb) RETURNS TABLE (n integer, state text, detail text)
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    c    record;
    said text;
BEGIN
    FOR c IN SELECT * FROM jsonb_to_recordset(callers) AS caller(n integer, session uuid, "user" uuid, key uuid, home uuid, workspace uuid,
                                                                 roles text[], may text, deleted boolean) LOOP
        BEGIN
            IF c.key IS NOT NULL THEN
                PERFORM app.enter_key(c.key, c.workspace, c.roles, c.may);
            ELSIF c.home IS NULL THEN
                PERFORM app.enter(c.session, c."user", c.workspace, c.roles, c.deleted);
            ELSE
                PERFORM app.enter(c.session, c."user", c.home, c.workspace, c.roles, c.deleted);
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
