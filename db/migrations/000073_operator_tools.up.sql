-- What the operator's commands need: users that are disabled, and the ids of all workspaces and users. A row is then read in a
-- transaction of its own workspace or user.
ALTER TABLE users ADD COLUMN disabled_at timestamptz; -- since when the user cannot log in; null: it can

-- The ids of all workspaces, deleted ones too, in the order of the ids.
CREATE FUNCTION app.all_workspaces(after uuid, most integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT w.id FROM public.workspaces w WHERE after IS NULL OR w.id > after ORDER BY w.id LIMIT most
$$;

-- The ids of all users, in the order of the ids.
CREATE FUNCTION app.all_users(after uuid, most integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.id FROM public.users u WHERE after IS NULL OR u.id > after ORDER BY u.id LIMIT most
$$;

-- The ids of the workspaces that the user of this transaction is a member of, deleted ones too.
CREATE FUNCTION app.own_workspaces() RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.workspace_id FROM public.workspace_members m
     WHERE m.user_id = nullif(current_setting('app.user_id', true), '')::uuid ORDER BY m.workspace_id
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.all_workspaces(uuid, integer) OWNER TO parley_door;
ALTER FUNCTION app.all_users(uuid, integer) OWNER TO parley_door;
ALTER FUNCTION app.own_workspaces() OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.all_workspaces(uuid, integer), app.all_users(uuid, integer), app.own_workspaces() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.all_workspaces(uuid, integer), app.all_users(uuid, integer), app.own_workspaces() TO parley_app;

-- Takes back what app.end_authority has stopped of a member since a time: API keys work again, webhook subscriptions deliver again.
-- Invitations stay revoked. Gives how many of each. At most 10,000 deliveries that waited are attempted at once; others within
-- hours, as after an adoption. It works with the rights of who asks.
CREATE FUNCTION app.restore_authority(workspace uuid, member uuid, since timestamptz, OUT api_keys integer, OUT subscriptions integer)
    LANGUAGE plpgsql AS $$
DECLARE
    restored uuid[];
BEGIN
    UPDATE public.api_keys k SET suspended_at = NULL
     WHERE k.workspace_id = workspace AND coalesce(k.responsible_id, k.created_by) = member AND k.revoked_at IS NULL
       AND k.suspended_at >= since;
    GET DIAGNOSTICS api_keys = ROW_COUNT;
    WITH held AS (
        UPDATE public.webhook_subscriptions s SET held_at = NULL
         WHERE s.workspace_id = workspace AND s.deleted_at IS NULL AND coalesce(s.responsible_id, s.created_by) = member
           AND s.held_at >= since
     RETURNING s.id
    )
    SELECT coalesce(array_agg(held.id), '{}') INTO restored FROM held;
    subscriptions := cardinality(restored);
    IF subscriptions > 0 THEN
        WITH waiting AS MATERIALIZED (
            SELECT d.id::text AS key FROM public.webhook_deliveries d
             WHERE d.workspace_id = workspace AND d.subscription_id = ANY (restored) AND d.status = 'pending'
             ORDER BY d.id LIMIT 10000
        )
        UPDATE public.job_queue j SET run_at = now()
          FROM waiting
         WHERE j.workspace_id = workspace AND j.kind = 'webhook.deliver' AND j.key = waiting.key AND j.status = 'queued' AND j.run_at > now();
        PERFORM pg_notify('parley_jobs', '');
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION app.restore_authority(uuid, uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.restore_authority(uuid, uuid, timestamptz) TO parley_app;

-- As before, and a user who has been disabled since the transaction was entered becomes responsible for nothing.
CREATE OR REPLACE FUNCTION app.lock_authority(workspace uuid, actor uuid, roles text[]) RETURNS boolean
    LANGUAGE plpgsql AS $$
DECLARE
    its_role text;
BEGIN
    SELECT m.role INTO its_role FROM public.workspace_members m WHERE m.workspace_id = workspace AND m.user_id = actor FOR SHARE;
    IF FOUND THEN
        IF EXISTS (SELECT FROM public.users u WHERE u.id = actor AND u.disabled_at IS NOT NULL) THEN
            RAISE EXCEPTION 'the user is disabled' USING ERRCODE = 'PY401';
        END IF;
    ELSE
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
