CREATE OR REPLACE FUNCTION app.enter_key(key uuid, workspace uuid, roles text[], may text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    its_role text;
    its_bots uuid[];
    gone     boolean;
    stopped  boolean;
BEGIN
    SELECT k.role, k.bot_ids, w.deleted_at IS NOT NULL, k.suspended_at IS NOT NULL OR m.role IS NULL OR m.role = 'viewer' AND k.role <> 'viewer'
      INTO its_role, its_bots, gone, stopped
      FROM public.api_keys k
      JOIN public.workspaces w ON w.id = k.workspace_id
      LEFT JOIN public.workspace_members m ON m.workspace_id = k.workspace_id AND m.user_id = coalesce(k.responsible_id, k.created_by)
     WHERE k.workspace_id = workspace AND k.id = key AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now());
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the API key is revoked or has expired' USING ERRCODE = 'PY401';
    END IF;
    IF gone THEN
        RAISE EXCEPTION 'the workspace is deleted' USING ERRCODE = 'PY410';
    END IF;
    IF stopped THEN
        RAISE EXCEPTION 'the API key is suspended' USING ERRCODE = 'PY401', DETAIL = 'suspended';
    END IF;
    IF may NOT IN ('any', 'whole') OR may = 'whole' AND its_bots IS NOT NULL THEN
        RAISE EXCEPTION 'not for this API key' USING ERRCODE = 'PYKEY', DETAIL = its_role;
    END IF;
    IF cardinality(roles) > 0 AND its_role <> ALL (roles) THEN
        RAISE EXCEPTION 'the role does not allow this' USING ERRCODE = 'PYROL', DETAIL = its_role;
    END IF;
    PERFORM set_config('app.workspace_id', workspace::text, true), set_config('app.user_id', key::text, true),
            set_config('app.role', its_role, true), set_config('app.bots', coalesce(its_bots::text, ''), true);
    RETURN its_role;
END $$;
CREATE OR REPLACE FUNCTION app.enter_account(session uuid, usr uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.account_sessions s
                    WHERE s.user_id = usr AND s.id = session
                      AND s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now()) THEN
        RAISE EXCEPTION 'the session has ended' USING ERRCODE = 'PY401';
    END IF;
    PERFORM set_config('app.workspace_id', '', true), set_config('app.user_id', usr::text, true);
END $$;
CREATE OR REPLACE FUNCTION app.settle_session(session uuid) RETURNS uuid
    LANGUAGE plpgsql AS $$
DECLARE
    home uuid;
BEGIN
    SELECT m.workspace_id INTO home FROM app.memberships(NULL, NULL, 100) m
     ORDER BY m.deleted_at IS NOT NULL, m.joined_at, m.workspace_id LIMIT 1;
    IF home IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('app.workspace_id', home::text, true);
    INSERT INTO public.sessions (workspace_id, id, user_id, generation, rotated_at, retirements, kid, idle_expires_at, expires_at,
                                 revoked_at, created_at, ip, user_agent)
    SELECT home, s.id, s.user_id, s.generation, s.rotated_at, s.retirements, s.kid, s.idle_expires_at, s.expires_at,
           s.revoked_at, s.created_at, s.ip, s.user_agent
      FROM public.account_sessions s WHERE s.id = session;
    DELETE FROM public.account_sessions s WHERE s.id = session;
    RETURN home;
END $$;
CREATE OR REPLACE FUNCTION app.level(workspace uuid, metric text) RETURNS bigint
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    its_bots text := coalesce(current_setting('app.bots', true), '');
    n        bigint;
BEGIN
    CASE metric
        WHEN 'bots' THEN
            PERFORM set_config('app.bots', '', true);
            n := (SELECT count(*) FROM public.bots b WHERE b.workspace_id = workspace AND b.status <> 'archived');
            PERFORM set_config('app.bots', its_bots, true);
            RETURN n;
        WHEN 'webhook_subscriptions' THEN
            PERFORM set_config('app.bots', '', true);
            n := (SELECT count(*) FROM public.webhook_subscriptions s WHERE s.workspace_id = workspace AND s.deleted_at IS NULL);
            PERFORM set_config('app.bots', its_bots, true);
            RETURN n;
        WHEN 'members' THEN RETURN (SELECT count(*) FROM public.workspace_members m WHERE m.workspace_id = workspace);
        WHEN 'api_keys' THEN RETURN (SELECT count(*) FROM public.api_keys k
                                      WHERE k.workspace_id = workspace AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()));
        ELSE RETURN NULL;
    END CASE;
END $$;
DROP FUNCTION app.end_user_sessions(uuid);
DROP FUNCTION app.read_endpoint(uuid);
DROP FUNCTION app.read_invitation(bytea);
DROP FUNCTION app.locate_lost_jobs(integer);
DROP FUNCTION app.locate_endpoint(uuid);
DROP FUNCTION app.locate_invitation(bytea);
COMMENT ON FUNCTION app.find_invitation(bytea) IS NULL;
COMMENT ON FUNCTION app.find_webhook_endpoint(uuid) IS NULL;
COMMENT ON FUNCTION app.end_other_sessions(uuid) IS NULL;
COMMENT ON FUNCTION app.lost_jobs(integer) IS NULL;
