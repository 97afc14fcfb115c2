CREATE OR REPLACE FUNCTION app.level(workspace uuid, metric text) RETURNS bigint
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    CASE metric
        WHEN 'bots' THEN RETURN (SELECT count(*) FROM public.bots b WHERE b.workspace_id = workspace);
        WHEN 'members' THEN RETURN (SELECT count(*) FROM public.workspace_members m WHERE m.workspace_id = workspace);
        ELSE RETURN NULL;
    END CASE;
END $$;
DROP POLICY key_bots ON messages;
DO $$
DECLARE
    tab regclass;
BEGIN
    FOR tab IN SELECT polrelid::regclass FROM pg_policy WHERE polname = 'key_bots' LOOP
        EXECUTE format('DROP POLICY key_bots ON %s', tab);
    END LOOP;
END $$;
DROP FUNCTION app.keep_to_bots(regclass, text), app.sees_thread(uuid), app.refuse_bot(uuid),
    app.enter_key(uuid, uuid, text[], text), app.find_api_key(bytea);
ALTER TABLE audit_log DROP COLUMN api_key_id;
DROP TABLE api_keys;
