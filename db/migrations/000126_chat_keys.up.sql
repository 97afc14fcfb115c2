-- API keys with the role chat take turns in threads that they made, and see no others. Keys with the role embed make tokens of end users.

-- Calls go on meanwhile and lock these tables in orders of their own. So all are locked at once or none, as for key_bots.
DO $$
BEGIN
    PERFORM set_config('lock_timeout', '500ms', true);
    LOOP
        BEGIN
            LOCK TABLE turn_events, message_feedback, retrievals, retrieved_documents, api_keys;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    PERFORM set_config('lock_timeout', '0', true);
END $$;

SELECT app.keep_to_owner('turn_events', 'app.owns_turn(turn_id)'),
       app.keep_to_owner('message_feedback', 'app.owns_thread(thread_id)'),
       app.keep_to_owner('retrievals', 'app.owns_turn(turn_id)'),
       app.keep_to_owner('retrieved_documents', 'app.owns_turn(turn_id)');

ALTER TABLE api_keys DROP CONSTRAINT api_keys_role_check;
ALTER TABLE api_keys ADD CONSTRAINT api_keys_role_check CHECK (role IN ('editor', 'viewer', 'chat', 'embed'));

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
    PERFORM app.set_tenant(workspace::text, key::text, its_role, coalesce(its_bots::text, ''), CASE WHEN its_role IN ('editor', 'viewer') THEN '' ELSE key::text END);
    RETURN its_role;
END $$;
