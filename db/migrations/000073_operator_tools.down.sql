CREATE OR REPLACE FUNCTION app.lock_authority(workspace uuid, actor uuid, roles text[]) RETURNS boolean
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
DROP FUNCTION app.restore_authority(uuid, uuid, timestamptz);
DROP FUNCTION app.own_workspaces();
DROP FUNCTION app.all_users(uuid, integer);
DROP FUNCTION app.all_workspaces(uuid, integer);
ALTER TABLE users DROP COLUMN disabled_at;
