-- Workspaces with several people. What a member may do is held to its role where a transaction begins, so that no
-- statement of a call that is not allowed runs, and the check is no round trip of its own.

ALTER TABLE workspaces ADD COLUMN deleted_at timestamptz; -- it can be taken back for a while, then it is purged
GRANT SELECT ON workspaces TO parley_door;
CREATE POLICY door ON workspaces FOR SELECT TO parley_door USING (true);

-- The first statement of every call with a session: lets a living session of a member into a workspace, if the member has
-- one of these roles (none given: any) and the workspace is not deleted (or may be), and raises for all else. The door
-- with three parameters is that of the program before this one, which may still run while this one is rolled out.
CREATE FUNCTION app.enter(session uuid, usr uuid, workspace uuid, roles text[], deleted boolean) RETURNS text
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
     WHERE s.id = session AND s.user_id = usr;
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
    PERFORM set_config('app.workspace_id', workspace::text, true), set_config('app.user_id', usr::text, true);
    RETURN role;
END $$;

-- For log-in: the user behind an address, with the workspace that it wants, or else the first that it joined, one that is
-- not deleted if there is one. Without a workspace where it is in none, or not in that.
CREATE FUNCTION app.find_login(address text, wanted uuid)
    RETURNS TABLE (user_id uuid, password_hash text, operation_id uuid, workspace_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.id, u.password_hash, u.operation_id, found.workspace_id
      FROM public.users u
      LEFT JOIN LATERAL (
           SELECT m.workspace_id
             FROM public.workspace_members m
             JOIN public.workspaces w ON w.id = m.workspace_id
            WHERE m.user_id = u.id AND (wanted IS NULL OR m.workspace_id = wanted)
            ORDER BY w.deleted_at IS NOT NULL, m.created_at, m.workspace_id
            LIMIT 1) found ON true
     WHERE u.email = address
$$;

-- The workspaces of the user of this transaction, in the order in which it joined them; deleted ones only where it may
-- take them back.
CREATE FUNCTION app.memberships(after_at timestamptz, after_id uuid, most integer)
    RETURNS TABLE (workspace_id uuid, name text, role text, created_at timestamptz, joined_at timestamptz, deleted_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT w.id, w.name, m.role, w.created_at, m.created_at, w.deleted_at
      FROM public.workspace_members m
      JOIN public.workspaces w ON w.id = m.workspace_id
     WHERE m.user_id = nullif(current_setting('app.user_id', true), '')::uuid
       AND (w.deleted_at IS NULL OR m.role = 'owner')
       AND (after_at IS NULL OR (m.created_at, m.workspace_id) > (after_at, after_id))
     ORDER BY m.created_at, m.workspace_id
     LIMIT most
$$;

-- The members of the workspace of this transaction with their addresses, in the order in which they joined; of one person
-- (one) only that one.
CREATE FUNCTION app.members(one uuid, after_at timestamptz, after_id uuid, most integer)
    RETURNS TABLE (user_id uuid, email text, role text, joined_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.id, u.email, m.role, m.created_at
      FROM public.workspace_members m
      JOIN public.users u ON u.id = m.user_id
     WHERE m.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid
       AND (one IS NULL OR m.user_id = one)
       AND (after_at IS NULL OR (m.created_at, m.user_id) > (after_at, after_id))
     ORDER BY m.created_at, m.user_id
     LIMIT most
$$;
CREATE INDEX workspace_members_in_order ON workspace_members (workspace_id, created_at, user_id);

-- Bots and members are counted too, as they are, not as they were made. A new check reads the table.
ALTER TABLE workspace_limits NO FORCE ROW LEVEL SECURITY;
ALTER TABLE workspace_limits DROP CONSTRAINT workspace_limits_metric_check, ADD CONSTRAINT workspace_limits_metric_check
    CHECK (metric IN ('turns', 'tokens', 'messages', 'webhook_events', 'storage_bytes', 'bots', 'members', 'api_keys'));
ALTER TABLE workspace_limits FORCE ROW LEVEL SECURITY;

-- How many there are of what is counted as it is; null for other metrics.
CREATE FUNCTION app.level(workspace uuid, metric text) RETURNS bigint
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    CASE metric
        WHEN 'bots' THEN RETURN (SELECT count(*) FROM public.bots b WHERE b.workspace_id = workspace);
        WHEN 'members' THEN RETURN (SELECT count(*) FROM public.workspace_members m WHERE m.workspace_id = workspace);
        ELSE RETURN NULL;
    END CASE;
END $$;

-- Raises PYLIM where there is no room for one more. Whoever adds one of the same metric at the same time waits, so that
-- the limit is held exactly; where there is no limit nobody waits.
CREATE FUNCTION app.make_room(workspace uuid, metric text, most bigint) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    its_limit bigint := coalesce((SELECT o.most FROM public.workspace_limits o
                                   WHERE o.workspace_id = workspace AND o.metric = make_room.metric), most);
    there     bigint;
BEGIN
    IF its_limit = 0 THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended(metric || ' of ' || workspace, 0));
    there := app.level(workspace, metric);
    IF there >= its_limit THEN
        RAISE EXCEPTION 'the limit of % is reached', metric USING ERRCODE = 'PYLIM',
            DETAIL = jsonb_build_object('metric', metric, 'limit', its_limit, 'used', there, 'resets_at', NULL)::text;
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION app.level(uuid, text), app.make_room(uuid, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.level(uuid, text), app.make_room(uuid, text, bigint) TO parley_app;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.enter(uuid, uuid, uuid, text[], boolean) OWNER TO parley_door;
ALTER FUNCTION app.find_login(text, uuid) OWNER TO parley_door;
ALTER FUNCTION app.memberships(timestamptz, uuid, integer) OWNER TO parley_door;
ALTER FUNCTION app.members(uuid, timestamptz, uuid, integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.enter(uuid, uuid, uuid, text[], boolean), app.find_login(text, uuid),
    app.memberships(timestamptz, uuid, integer), app.members(uuid, timestamptz, uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.enter(uuid, uuid, uuid, text[], boolean), app.find_login(text, uuid),
    app.memberships(timestamptz, uuid, integer), app.members(uuid, timestamptz, uuid, integer) TO parley_app;
