-- Sessions were kept for ever. They go 30 days after their end: until then a refresh token that was stolen is known for one.
CREATE FUNCTION app.session_end(revoked_at timestamptz, idle_expires_at timestamptz, expires_at timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE AS $$ SELECT least(revoked_at, idle_expires_at, expires_at) $$;
CREATE INDEX sessions_by_age ON sessions USING brin (created_at) WITH (autosummarize = on);
CREATE POLICY door_expire ON sessions FOR DELETE TO parley_door
    USING (app.session_end(revoked_at, idle_expires_at, expires_at) < now() - interval '30 days');
CREATE POLICY door_expire ON account_sessions FOR DELETE TO parley_door
    USING (app.session_end(revoked_at, idle_expires_at, expires_at) < now() - interval '30 days');
GRANT DELETE ON account_sessions TO parley_door;
REVOKE EXECUTE ON FUNCTION app.session_end(timestamptz, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.session_end(timestamptz, timestamptz, timestamptz) TO parley_door;

-- Removes so many sessions that ended 30 days ago, with and without a workspace, and says how many.
CREATE FUNCTION app.expire_sessions(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    removed integer;
    without integer;
BEGIN
    WITH old AS (
        SELECT s.workspace_id, s.id FROM public.sessions s
         WHERE s.created_at < now() - interval '30 days'
           AND app.session_end(s.revoked_at, s.idle_expires_at, s.expires_at) < now() - interval '30 days'
         LIMIT most
    )
    DELETE FROM public.sessions s USING old WHERE (s.workspace_id, s.id) = (old.workspace_id, old.id);
    GET DIAGNOSTICS removed = ROW_COUNT;
    WITH old AS (
        SELECT s.user_id, s.id FROM public.account_sessions s
         WHERE app.session_end(s.revoked_at, s.idle_expires_at, s.expires_at) < now() - interval '30 days'
         LIMIT most - removed
    )
    DELETE FROM public.account_sessions s USING old WHERE (s.user_id, s.id) = (old.user_id, old.id);
    GET DIAGNOSTICS without = ROW_COUNT;
    RETURN removed + without;
END $$;
GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.expire_sessions(integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.expire_sessions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.expire_sessions(integer) TO parley_app;
