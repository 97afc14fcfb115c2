-- Whether the members of a workspace need a second factor to work in it.
ALTER TABLE workspaces ADD COLUMN second_factor boolean NOT NULL DEFAULT false;

-- The entry, which also knows of second factors: it raises PY2FA for a member without one where the workspace demands it, unless
-- without_factor says that the call is about the caller; and PYREA where the call needs a fresh authentication and the user has a
-- factor, unless the session was authenticated with one in the last 10 minutes. API keys have no factor and are not asked.
CREATE FUNCTION app.enter(session uuid, usr uuid, home uuid, workspace uuid, roles text[], deleted boolean, fresh boolean, without_factor boolean) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    alive  boolean;
    role   text;
    gone   boolean;
    demand boolean;
    recent boolean;
    factor boolean;
BEGIN
    SELECT s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now(), m.role, w.deleted_at IS NOT NULL,
           w.second_factor AND NOT without_factor,
           coalesce(s.authenticated_at, s.created_at) > now() - interval '10 minutes' AND s.amr && ARRAY['otp', 'recovery']
      INTO alive, role, gone, demand, recent
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
    IF demand OR fresh AND NOT recent THEN
        factor := EXISTS (SELECT FROM public.account_totp f WHERE f.user_id = usr AND f.confirmed_at IS NOT NULL);
        IF demand AND NOT factor THEN
            RAISE EXCEPTION 'the workspace demands a second factor' USING ERRCODE = 'PY2FA';
        END IF;
        IF fresh AND NOT recent AND factor THEN
            RAISE EXCEPTION 'the authentication is too old' USING ERRCODE = 'PYREA';
        END IF;
    END IF;
    PERFORM app.set_tenant(workspace::text, usr::text, '', '');
    RETURN role;
END $$;

CREATE FUNCTION app.enter_account(session uuid, usr uuid, fresh boolean) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    recent boolean;
BEGIN
    SELECT coalesce(s.authenticated_at, s.created_at) > now() - interval '10 minutes' AND s.amr && ARRAY['otp', 'recovery'] INTO recent
      FROM public.account_sessions s
     WHERE s.user_id = usr AND s.id = session AND s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now();
    IF recent IS NULL THEN
        RAISE EXCEPTION 'the session has ended' USING ERRCODE = 'PY401';
    END IF;
    IF fresh AND NOT recent AND EXISTS (SELECT FROM public.account_totp f WHERE f.user_id = usr AND f.confirmed_at IS NOT NULL) THEN
        RAISE EXCEPTION 'the authentication is too old' USING ERRCODE = 'PYREA';
    END IF;
    PERFORM app.set_tenant('', usr::text, '', '');
END $$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.enter(uuid, uuid, uuid, uuid, text[], boolean, boolean, boolean) OWNER TO parley_door;
ALTER FUNCTION app.enter_account(uuid, uuid, boolean) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.enter(uuid, uuid, uuid, uuid, text[], boolean, boolean, boolean), app.enter_account(uuid, uuid, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.enter(uuid, uuid, uuid, uuid, text[], boolean, boolean, boolean), app.enter_account(uuid, uuid, boolean) TO parley_app;
COMMENT ON FUNCTION app.enter(uuid, uuid, uuid, uuid, text[], boolean) IS 'for the release before: it goes a release later';
COMMENT ON FUNCTION app.enter_account(uuid, uuid) IS 'for the release before: it goes a release later';

-- A caller of a process of the release before does not say whether the demand of its workspace applies: it does not.
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
