-- A user deletes its account and exports what is held about it.

GRANT DELETE ON users TO parley_app; -- the policy self lets each user delete itself alone
GRANT UPDATE (email) ON invitations TO parley_app;
GRANT SELECT (accepted_by) ON invitations TO parley_door;
CREATE INDEX invitations_by_guest ON invitations (accepted_by) WHERE accepted_by IS NOT NULL;
CREATE INDEX invitations_by_email ON invitations (email);

-- The invitations that the user of this transaction has accepted, and those to an address, which is its own.
CREATE FUNCTION app.locate_own_invitations(address text) RETURNS TABLE (workspace_id uuid, id uuid)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    usr uuid := nullif(current_setting('app.user_id', true), '')::uuid;
BEGIN
    RETURN QUERY SELECT i.workspace_id, i.id FROM public.invitations i WHERE i.accepted_by = usr
                 UNION
                 SELECT i.workspace_id, i.id FROM public.invitations i WHERE i.email = address
                 ORDER BY 1, 2;
END $$;

-- Those invitations, each read as its tenant. It works with the rights of who asks.
CREATE FUNCTION app.own_invitations(address text, max_rows integer)
    RETURNS TABLE (workspace_id uuid, workspace_name text, id uuid, email text, role text, created_at timestamptz, expires_at timestamptz,
                   accepted_at timestamptz, revoked_at timestamptz)
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    its_workspace text := coalesce(current_setting('app.workspace_id', true), '');
    its_user      text := coalesce(current_setting('app.user_id', true), '');
    its_role      text := coalesce(current_setting('app.role', true), '');
    its_bots      text := coalesce(current_setting('app.bots', true), '');
    place         record;
BEGIN
    FOR place IN SELECT l.workspace_id, l.id FROM app.locate_own_invitations(address) l LIMIT max_rows LOOP
        PERFORM app.set_tenant(place.workspace_id::text, its_user, '', '');
        RETURN QUERY SELECT i.workspace_id, w.name, i.id, i.email, i.role, i.created_at, i.expires_at, i.accepted_at, i.revoked_at
          FROM public.invitations i
          JOIN public.workspaces w ON w.id = i.workspace_id
         WHERE i.workspace_id = place.workspace_id AND i.id = place.id;
    END LOOP;
    PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
END $$;

-- Takes the address out of the invitations that the user of this transaction has accepted, each as its tenant. It works with the
-- rights of who asks.
CREATE FUNCTION app.forget_own_address() RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    its_workspace text := coalesce(current_setting('app.workspace_id', true), '');
    its_user      text := coalesce(current_setting('app.user_id', true), '');
    its_role      text := coalesce(current_setting('app.role', true), '');
    its_bots      text := coalesce(current_setting('app.bots', true), '');
    usr           uuid := nullif(its_user, '')::uuid;
    home          uuid;
BEGIN
    FOREACH home IN ARRAY ARRAY(SELECT DISTINCT l.workspace_id FROM app.locate_own_invitations(NULL) l ORDER BY 1) LOOP
        PERFORM app.set_tenant(home::text, its_user, '', '');
        UPDATE public.invitations i SET email = 'deleted@account.invalid' WHERE i.workspace_id = home AND i.accepted_by = usr;
    END LOOP;
    PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
END $$;

-- What the user of this transaction has done, newest first, before a place in the list: events of its account, and what the audit
-- logs of its workspaces have of it, each read as its tenant. It works with the rights of who asks.
CREATE FUNCTION app.own_actions(before_at timestamptz, before_id uuid, max_rows integer)
    RETURNS TABLE (workspace_id uuid, id uuid, created_at timestamptz, action text, reason text, resource_type text, resource_id uuid,
                   operation_id uuid, trace_id text, changes jsonb, ip inet, user_agent text)
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    its_workspace text := coalesce(current_setting('app.workspace_id', true), '');
    its_user      text := coalesce(current_setting('app.user_id', true), '');
    its_role      text := coalesce(current_setting('app.role', true), '');
    its_bots      text := coalesce(current_setting('app.bots', true), '');
    usr           uuid := nullif(its_user, '')::uuid;
    home          uuid;
BEGIN
    before_at := coalesce(before_at, 'infinity');
    before_id := coalesce(before_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
    RETURN QUERY SELECT NULL::uuid, e.id, e.created_at, e.action, e.reason, NULL::text, NULL::uuid, e.operation_id, e.trace_id, '{}'::jsonb, e.ip, e.user_agent
      FROM public.account_events e
     WHERE e.user_id = usr AND (e.created_at, e.id) < (before_at, before_id)
     ORDER BY e.created_at DESC, e.id DESC LIMIT max_rows;
    FOREACH home IN ARRAY ARRAY(SELECT app.own_workspaces()) LOOP
        PERFORM app.set_tenant(home::text, its_user, '', '');
        RETURN QUERY SELECT home, a.id, a.created_at, a.action, ''::text, a.resource_type, a.resource_id, a.operation_id, a.trace_id, a.changes, a.ip, a.user_agent
          FROM public.audit_log a
         WHERE a.workspace_id = home AND a.user_id = usr AND (a.created_at, a.id) < (before_at, before_id)
         ORDER BY a.created_at DESC, a.id DESC LIMIT max_rows;
    END LOOP;
    PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
END $$;

REVOKE EXECUTE ON FUNCTION app.own_invitations(text, integer), app.forget_own_address(), app.own_actions(timestamptz, uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.own_invitations(text, integer), app.forget_own_address(), app.own_actions(timestamptz, uuid, integer) TO parley_app;
GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.locate_own_invitations(text) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.locate_own_invitations(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.locate_own_invitations(text) TO parley_app;
