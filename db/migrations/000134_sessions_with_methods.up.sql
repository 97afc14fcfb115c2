-- As app.own_sessions, which a process of the release before calls, with when and how the user has proved last who it is.
CREATE FUNCTION app.own_authenticated_sessions(before_at timestamptz, before_id uuid, max_rows integer, also_ended boolean)
    RETURNS TABLE (workspace_id uuid, id uuid, rotated_at timestamptz, idle_expires_at timestamptz, revoked_at timestamptz, created_at timestamptz,
                   ip inet, user_agent text, authenticated_at timestamptz, amr text[])
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
    RETURN QUERY SELECT NULL::uuid, s.id, s.rotated_at, s.idle_expires_at, s.revoked_at, s.created_at, s.ip, s.user_agent,
                        coalesce(s.authenticated_at, s.created_at), s.amr
      FROM public.account_sessions s
     WHERE s.user_id = usr AND (also_ended OR s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now())
       AND (before_at IS NULL OR (s.created_at, s.id) < (before_at, before_id))
     ORDER BY s.created_at DESC, s.id DESC LIMIT max_rows;
    FOREACH home IN ARRAY ARRAY(SELECT app.own_workspaces()) LOOP
        PERFORM app.set_tenant(home::text, its_user, '', '');
        RETURN QUERY SELECT home, s.id, s.rotated_at, s.idle_expires_at, s.revoked_at, s.created_at, s.ip, s.user_agent,
                            coalesce(s.authenticated_at, s.created_at), s.amr
          FROM public.sessions s
         WHERE s.workspace_id = home AND s.user_id = usr
           AND (also_ended OR s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now())
           AND (before_at IS NULL OR (s.created_at, s.id) < (before_at, before_id))
         ORDER BY s.created_at DESC, s.id DESC LIMIT max_rows;
    END LOOP;
    PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
END $$;
REVOKE EXECUTE ON FUNCTION app.own_authenticated_sessions(timestamptz, uuid, integer, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.own_authenticated_sessions(timestamptz, uuid, integer, boolean) TO parley_app;
