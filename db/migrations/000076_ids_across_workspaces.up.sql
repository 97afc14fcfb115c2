-- What looks across workspaces says which workspace, and the rest is read and done there, with the rights of who asks: with several
-- database servers the first part is asked of a directory, the second of the server of the workspace. It stays one round trip. The
-- functions that gave more stay for a process of the release before.

-- The workspace and id of an invitation, by the hash of its token.
CREATE FUNCTION app.locate_invitation(print bytea) RETURNS TABLE (workspace_id uuid, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT i.workspace_id, i.id FROM public.invitations i WHERE i.token_hash = print
$$;

-- The workspace of a webhook endpoint.
CREATE FUNCTION app.locate_endpoint(endpoint uuid) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.workspace_id FROM public.webhook_endpoints e WHERE e.id = endpoint
$$;

-- Jobs whose lease has run out.
CREATE FUNCTION app.locate_lost_jobs(most integer) RETURNS TABLE (workspace_id uuid, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT j.workspace_id, j.id
      FROM public.job_queue j
     WHERE j.status = 'running' AND j.lease_until < clock_timestamp()
     ORDER BY j.lease_until
     LIMIT most
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.locate_invitation(bytea) OWNER TO parley_door;
ALTER FUNCTION app.locate_endpoint(uuid) OWNER TO parley_door;
ALTER FUNCTION app.locate_lost_jobs(integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.locate_invitation(bytea), app.locate_endpoint(uuid), app.locate_lost_jobs(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.locate_invitation(bytea), app.locate_endpoint(uuid), app.locate_lost_jobs(integer) TO parley_app;

-- For whoever brings a token, and is in no workspace yet: the invitation that has not been revoked, read as its own tenant, and
-- the user of its address, if there is one. It leaves no tenant set.
CREATE FUNCTION app.read_invitation(print bytea)
    RETURNS TABLE (workspace_id uuid, id uuid, email text, role text, expires_at timestamptz, accepted boolean, operation_id uuid,
                   user_id uuid, password_hash text)
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    its record;
BEGIN
    SELECT l.workspace_id, l.id INTO its FROM app.locate_invitation(print) l;
    IF its.id IS NULL THEN
        RETURN;
    END IF;
    PERFORM app.set_tenant(its.workspace_id::text, '', '', '');
    RETURN QUERY SELECT i.workspace_id, i.id, i.email, i.role, i.expires_at, i.accepted_at IS NOT NULL, i.operation_id, u.user_id, u.password_hash
      FROM public.invitations i
      JOIN public.workspaces w ON w.id = i.workspace_id AND w.deleted_at IS NULL
      LEFT JOIN LATERAL app.find_login(ARRAY[i.email], NULL) u ON true
     WHERE i.workspace_id = its.workspace_id AND i.id = its.id AND i.token_hash = print AND i.revoked_at IS NULL;
    PERFORM app.set_tenant('', '', '', '');
END $$;

-- For a sender, who has no token: an endpoint, read as its own tenant. It leaves no tenant set.
CREATE FUNCTION app.read_endpoint(endpoint uuid) RETURNS TABLE (workspace_id uuid, status text, secrets jsonb)
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    its_workspace uuid := app.locate_endpoint(endpoint);
BEGIN
    IF its_workspace IS NULL THEN
        RETURN;
    END IF;
    PERFORM app.set_tenant(its_workspace::text, '', '', '');
    RETURN QUERY SELECT e.workspace_id, e.status, e.secrets
      FROM public.webhook_endpoints e
      JOIN public.workspaces w ON w.id = e.workspace_id AND w.deleted_at IS NULL
     WHERE e.workspace_id = its_workspace AND e.id = endpoint AND e.deleted_at IS NULL;
    PERFORM app.set_tenant('', '', '', '');
END $$;

-- Ends every session but one of this transaction's user, in each of its workspaces as that tenant and in none, and says how many.
-- It goes on for whom it was called.
CREATE FUNCTION app.end_user_sessions(keep uuid) RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    its_workspace text := coalesce(current_setting('app.workspace_id', true), '');
    its_user      text := coalesce(current_setting('app.user_id', true), '');
    its_role      text := coalesce(current_setting('app.role', true), '');
    its_bots      text := coalesce(current_setting('app.bots', true), '');
    usr           uuid := nullif(its_user, '')::uuid;
    home          uuid;
    ended         integer;
    n             integer;
BEGIN
    UPDATE public.account_sessions SET revoked_at = now() WHERE user_id = usr AND id <> keep AND revoked_at IS NULL;
    GET DIAGNOSTICS ended = ROW_COUNT;
    FOREACH home IN ARRAY ARRAY(SELECT app.own_workspaces()) LOOP -- in their order, so that two of these do not wait for each other
        PERFORM app.set_tenant(home::text, its_user, '', '');
        UPDATE public.sessions SET revoked_at = now() WHERE workspace_id = home AND user_id = usr AND id <> keep AND revoked_at IS NULL;
        GET DIAGNOSTICS n = ROW_COUNT;
        ended := ended + n;
    END LOOP;
    PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
    RETURN ended;
END $$;

REVOKE EXECUTE ON FUNCTION app.read_invitation(bytea), app.read_endpoint(uuid), app.end_user_sessions(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.read_invitation(bytea), app.read_endpoint(uuid), app.end_user_sessions(uuid) TO parley_app;

COMMENT ON FUNCTION app.find_invitation(bytea) IS 'for the release before: it goes a release later';
COMMENT ON FUNCTION app.find_webhook_endpoint(uuid) IS 'for the release before: it goes a release later';
COMMENT ON FUNCTION app.end_other_sessions(uuid) IS 'for the release before: it goes a release later';
COMMENT ON FUNCTION app.lost_jobs(integer) IS 'for the release before: it goes a release later';

-- The rest of what sets the settings of row-level security: the same as before, through the one function.
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
    PERFORM app.set_tenant(workspace::text, key::text, its_role, coalesce(its_bots::text, ''));
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
    PERFORM app.set_tenant('', usr::text, '', '');
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
    PERFORM app.set_tenant(home::text, coalesce(current_setting('app.user_id', true), ''), '', '');
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
    its_workspace text := coalesce(current_setting('app.workspace_id', true), '');
    its_user      text := coalesce(current_setting('app.user_id', true), '');
    its_role      text := coalesce(current_setting('app.role', true), '');
    its_bots      text := coalesce(current_setting('app.bots', true), '');
    n             bigint;
BEGIN
    CASE metric
        WHEN 'bots' THEN
            PERFORM app.set_tenant(its_workspace, its_user, its_role, '');
            n := (SELECT count(*) FROM public.bots b WHERE b.workspace_id = workspace AND b.status <> 'archived');
            PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
            RETURN n;
        WHEN 'webhook_subscriptions' THEN
            PERFORM app.set_tenant(its_workspace, its_user, its_role, '');
            n := (SELECT count(*) FROM public.webhook_subscriptions s WHERE s.workspace_id = workspace AND s.deleted_at IS NULL);
            PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
            RETURN n;
        WHEN 'members' THEN RETURN (SELECT count(*) FROM public.workspace_members m WHERE m.workspace_id = workspace);
        WHEN 'api_keys' THEN RETURN (SELECT count(*) FROM public.api_keys k
                                      WHERE k.workspace_id = workspace AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()));
        ELSE RETURN NULL;
    END CASE;
END $$;
