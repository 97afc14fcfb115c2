-- API keys, webhook subscriptions and webhook endpoints work by the authority of a member, and end or wait when that authority
-- ends.

-- Calls go on meanwhile and lock these tables in orders of their own. So all are locked at once or none: what is locked
-- already is given back after half a second of waiting, before Postgres would find a deadlock.
DO $$
BEGIN
    PERFORM set_config('lock_timeout', '500ms', true);
    LOOP
        BEGIN
            LOCK TABLE workspace_members, api_keys, webhook_subscriptions, webhook_endpoints;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    PERFORM set_config('lock_timeout', '0', true);
END $$;

ALTER TABLE workspace_members NO FORCE ROW LEVEL SECURITY;
ALTER TABLE api_keys NO FORCE ROW LEVEL SECURITY;
ALTER TABLE webhook_subscriptions NO FORCE ROW LEVEL SECURITY;

ALTER TABLE api_keys
    ADD COLUMN responsible_id uuid, -- the member who is responsible for it; null: created_by
    ADD COLUMN suspended_at timestamptz; -- since when it is refused, until somebody adopts it; null: it is not
ALTER TABLE webhook_subscriptions
    ADD COLUMN responsible_id uuid, -- the member or the API key that is responsible for it; null: created_by
    ADD COLUMN held_at timestamptz; -- since when its deliveries wait, until somebody adopts it; null: they do not
ALTER TABLE webhook_endpoints
    ADD COLUMN responsible_id uuid; -- the member or the API key that is responsible for it; null: created_by
GRANT UPDATE (responsible_id, suspended_at) ON api_keys TO parley_app;
GRANT SELECT (created_by, responsible_id, suspended_at) ON api_keys TO parley_door;

-- What belongs to people who were removed or demoted before this migration.
UPDATE api_keys k SET suspended_at = now()
 WHERE k.revoked_at IS NULL
   AND NOT EXISTS (SELECT FROM workspace_members m
                    WHERE m.workspace_id = k.workspace_id AND m.user_id = k.created_by AND (m.role <> 'viewer' OR k.role = 'viewer'));
UPDATE webhook_subscriptions s SET held_at = now()
 WHERE s.deleted_at IS NULL
   AND NOT EXISTS (SELECT FROM workspace_members m
                    WHERE m.workspace_id = s.workspace_id AND m.user_id = s.created_by AND m.role <> 'viewer')
   AND NOT EXISTS (SELECT FROM api_keys k
                    WHERE k.workspace_id = s.workspace_id AND k.id = s.created_by AND k.revoked_at IS NULL AND k.suspended_at IS NULL);

ALTER TABLE webhook_subscriptions FORCE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
ALTER TABLE workspace_members FORCE ROW LEVEL SECURITY;

-- Ends what a member gave or made beyond an authority, in the transaction that removes or demotes the member: revokes open
-- invitations unless their role is one of invites, suspends API keys unless their role is one of keys, and, unless subscribes,
-- holds the subscriptions that the member or one of its keys made. What its keys made is the member's own from then on, so
-- that adopting a key adopts nothing else. Gives how many of each it ended.
CREATE FUNCTION app.end_authority(workspace uuid, member uuid, invites text[], keys text[], subscribes boolean,
                                  OUT invitations integer, OUT api_keys integer, OUT subscriptions integer)
    LANGUAGE plpgsql AS $$
DECLARE
    its_keys uuid[];
BEGIN
    UPDATE public.invitations i SET revoked_at = now()
     WHERE i.workspace_id = workspace AND i.invited_by = member AND i.accepted_at IS NULL AND i.revoked_at IS NULL
       AND i.role <> ALL (invites);
    GET DIAGNOSTICS invitations = ROW_COUNT;
    UPDATE public.api_keys k SET suspended_at = now()
     WHERE k.workspace_id = workspace AND coalesce(k.responsible_id, k.created_by) = member AND k.revoked_at IS NULL
       AND k.suspended_at IS NULL AND k.role <> ALL (keys);
    GET DIAGNOSTICS api_keys = ROW_COUNT;
    subscriptions := 0;
    IF subscribes THEN
        RETURN;
    END IF;
    its_keys := ARRAY(SELECT k.id FROM public.api_keys k WHERE k.workspace_id = workspace AND coalesce(k.responsible_id, k.created_by) = member);
    UPDATE public.webhook_subscriptions s SET held_at = coalesce(s.held_at, now()), responsible_id = member
     WHERE s.workspace_id = workspace AND s.deleted_at IS NULL AND coalesce(s.responsible_id, s.created_by) = ANY (its_keys || member);
    GET DIAGNOSTICS subscriptions = ROW_COUNT;
    UPDATE public.webhook_endpoints e SET responsible_id = member
     WHERE e.workspace_id = workspace AND e.deleted_at IS NULL AND coalesce(e.responsible_id, e.created_by) = ANY (its_keys);
END $$;

-- Holds the subscriptions that an API key is responsible for, in the transaction that revokes it; gives how many.
CREATE FUNCTION app.end_key_authority(workspace uuid, key uuid) RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    held integer;
BEGIN
    UPDATE public.webhook_subscriptions s SET held_at = now()
     WHERE s.workspace_id = workspace AND s.deleted_at IS NULL AND s.held_at IS NULL AND coalesce(s.responsible_id, s.created_by) = key;
    GET DIAGNOSTICS held = ROW_COUNT;
    RETURN held;
END $$;

-- Keeps the member or API key who is about to become responsible for something from being removed, demoted or revoked until
-- the transaction ends, so that what ends its authority finds what was made by it. Raises PY403 where it has been removed or
-- revoked since the transaction was entered, PYROL where it has none of the roles (none given: any).
CREATE FUNCTION app.lock_authority(workspace uuid, actor uuid, roles text[]) RETURNS boolean
    LANGUAGE plpgsql AS $$
DECLARE
    its_role text;
BEGIN
    SELECT m.role INTO its_role FROM public.workspace_members m WHERE m.workspace_id = workspace AND m.user_id = actor FOR SHARE;
    IF NOT FOUND THEN
        SELECT k.role INTO its_role FROM public.api_keys k
         WHERE k.workspace_id = workspace AND k.id = actor AND k.revoked_at IS NULL AND k.suspended_at IS NULL FOR SHARE;
    END IF;
    IF its_role IS NULL THEN
        RAISE EXCEPTION 'not a member of this workspace' USING ERRCODE = 'PY403';
    END IF;
    IF cardinality(roles) > 0 AND its_role <> ALL (roles) THEN
        RAISE EXCEPTION 'the role does not allow this' USING ERRCODE = 'PYROL', DETAIL = its_role;
    END IF;
    RETURN true;
END $$;
REVOKE EXECUTE ON FUNCTION app.end_authority(uuid, uuid, text[], text[], boolean), app.end_key_authority(uuid, uuid),
    app.lock_authority(uuid, uuid, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.end_authority(uuid, uuid, text[], text[], boolean), app.end_key_authority(uuid, uuid),
    app.lock_authority(uuid, uuid, text[]) TO parley_app;

-- What works by somebody's authority. responsible_id is a member or an API key, member_id the member: that of the key.
CREATE VIEW app.resources WITH (security_invoker = true) AS
    SELECT r.workspace_id, r.kind, r.id, r.name, r.status, r.created_by, r.responsible_id,
           coalesce(k.responsible_id, k.created_by, r.responsible_id) AS member_id, r.created_at, r.stopped_at
      FROM (SELECT a.workspace_id, 'api_key' AS kind, a.id, a.name, CASE WHEN a.suspended_at IS NULL THEN 'active' ELSE 'suspended' END AS status,
                   a.created_by, coalesce(a.responsible_id, a.created_by) AS responsible_id, a.created_at, a.suspended_at AS stopped_at
              FROM public.api_keys a
             WHERE a.revoked_at IS NULL AND (a.expires_at IS NULL OR a.expires_at > now())
            UNION ALL
            SELECT s.workspace_id, 'webhook_subscription', s.id, s.url, CASE WHEN s.held_at IS NULL THEN s.status ELSE 'held' END,
                   s.created_by, coalesce(s.responsible_id, s.created_by), s.created_at, s.held_at
              FROM public.webhook_subscriptions s
             WHERE s.deleted_at IS NULL
            UNION ALL
            SELECT e.workspace_id, 'webhook_endpoint', e.id, e.name, e.status, e.created_by, coalesce(e.responsible_id, e.created_by), e.created_at, NULL
              FROM public.webhook_endpoints e
             WHERE e.deleted_at IS NULL) r
      LEFT JOIN public.api_keys k ON k.workspace_id = r.workspace_id AND k.id = r.responsible_id;
GRANT SELECT ON app.resources TO parley_app;

-- Authority is checked when it is used: a key also needs the member who is responsible for it, with a role that is no less
-- than its own.
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
        RAISE EXCEPTION 'the API key is suspended' USING ERRCODE = 'PYSUS';
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
