-- Webhook subscriptions have a limit, as each event is delivered to every one that wants it. A new check reads the table.
ALTER TABLE workspace_limits NO FORCE ROW LEVEL SECURITY;
ALTER TABLE workspace_limits DROP CONSTRAINT workspace_limits_metric_check, ADD CONSTRAINT workspace_limits_metric_check
    CHECK (metric IN ('turns', 'tokens', 'messages', 'webhook_events', 'storage_bytes', 'bots', 'members', 'api_keys', 'webhook_subscriptions'));
ALTER TABLE workspace_limits FORCE ROW LEVEL SECURITY;

-- How many there are of what is counted as it is; null for other metrics. Bots, but for archived ones, and webhook subscriptions
-- are counted also where an API key limited to some bots does not see them: app.bots is empty while they are.
CREATE OR REPLACE FUNCTION app.level(workspace uuid, metric text) RETURNS bigint
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    its_bots text := coalesce(current_setting('app.bots', true), '');
    n        bigint;
BEGIN
    CASE metric
        WHEN 'bots' THEN
            PERFORM set_config('app.bots', '', true);
            n := (SELECT count(*) FROM public.bots b WHERE b.workspace_id = workspace AND b.status <> 'archived');
            PERFORM set_config('app.bots', its_bots, true);
            RETURN n;
        WHEN 'webhook_subscriptions' THEN
            PERFORM set_config('app.bots', '', true);
            n := (SELECT count(*) FROM public.webhook_subscriptions s WHERE s.workspace_id = workspace AND s.deleted_at IS NULL);
            PERFORM set_config('app.bots', its_bots, true);
            RETURN n;
        WHEN 'members' THEN RETURN (SELECT count(*) FROM public.workspace_members m WHERE m.workspace_id = workspace);
        WHEN 'api_keys' THEN RETURN (SELECT count(*) FROM public.api_keys k
                                      WHERE k.workspace_id = workspace AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()));
        ELSE RETURN NULL;
    END CASE;
END $$;
