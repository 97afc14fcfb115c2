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
REVOKE SELECT (created_at) ON account_sessions FROM parley_door;
ALTER TABLE account_sessions DROP COLUMN amr, DROP COLUMN authenticated_at;
ALTER TABLE sessions DROP COLUMN amr, DROP COLUMN authenticated_at;
