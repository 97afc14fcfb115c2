CREATE OR REPLACE FUNCTION app.enter_key(key uuid, workspace uuid, roles text[], may text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    its_role text;
    its_bots uuid[];
    gone     boolean;
BEGIN
    SELECT k.role, k.bot_ids, w.deleted_at IS NOT NULL INTO its_role, its_bots, gone
      FROM public.api_keys k
      JOIN public.workspaces w ON w.id = k.workspace_id
     WHERE k.workspace_id = workspace AND k.id = key AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now());
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the API key is revoked or has expired' USING ERRCODE = 'PY401';
    END IF;
    IF gone THEN
        RAISE EXCEPTION 'the workspace is deleted' USING ERRCODE = 'PY410';
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
DROP VIEW app.resources;
DROP FUNCTION app.lock_authority(uuid, uuid, text[]);
DROP FUNCTION app.end_key_authority(uuid, uuid);
DROP FUNCTION app.end_authority(uuid, uuid, text[], text[], boolean);
REVOKE SELECT (created_by, responsible_id, suspended_at) ON api_keys FROM parley_door;
REVOKE UPDATE (responsible_id, suspended_at) ON api_keys FROM parley_app;
ALTER TABLE webhook_endpoints DROP COLUMN responsible_id;
ALTER TABLE webhook_subscriptions DROP COLUMN responsible_id, DROP COLUMN held_at;
ALTER TABLE api_keys DROP COLUMN responsible_id, DROP COLUMN suspended_at;
