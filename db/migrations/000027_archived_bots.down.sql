-- Archived bots count again.
CREATE OR REPLACE FUNCTION app.level(workspace uuid, metric text) RETURNS bigint
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    CASE metric
        WHEN 'bots' THEN RETURN (SELECT count(*) FROM public.bots b WHERE b.workspace_id = workspace);
        WHEN 'members' THEN RETURN (SELECT count(*) FROM public.workspace_members m WHERE m.workspace_id = workspace);
        WHEN 'api_keys' THEN RETURN (SELECT count(*) FROM public.api_keys k
                                      WHERE k.workspace_id = workspace AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()));
        ELSE RETURN NULL;
    END CASE;
END $$;
