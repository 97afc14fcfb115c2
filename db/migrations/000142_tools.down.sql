CREATE OR REPLACE FUNCTION app.level(workspace uuid, metric text)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
AS $function$
DECLARE
    its_workspace text := coalesce(current_setting('app.workspace_id', true), '');
    its_user      text := coalesce(current_setting('app.user_id', true), '');
    its_role      text := coalesce(current_setting('app.role', true), '');
    its_bots      text := coalesce(current_setting('app.bots', true), '');
    n             bigint;
BEGIN
    CASE metric
        WHEN 'bots' THEN
            PERFORM app.set_tenant(its_workspace, its_user, its_role, '');
            n := (SELECT count(*) FROM public.bots b WHERE b.workspace_id = workspace AND b.status <> 'archived');
            PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
            RETURN n;
        WHEN 'webhook_subscriptions' THEN
            PERFORM app.set_tenant(its_workspace, its_user, its_role, '');
            n := (SELECT count(*) FROM public.webhook_subscriptions s WHERE s.workspace_id = workspace AND s.deleted_at IS NULL);
            PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
            RETURN n;
        WHEN 'members' THEN RETURN (SELECT count(*) FROM public.workspace_members m WHERE m.workspace_id = workspace);
        WHEN 'api_keys' THEN RETURN (SELECT count(*) FROM public.api_keys k
                                      WHERE k.workspace_id = workspace AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()));
        WHEN 'knowledge_bases' THEN RETURN (SELECT count(*) FROM public.knowledge_bases b WHERE b.workspace_id = workspace AND b.deleted_at IS NULL);
        WHEN 'documents' THEN RETURN (SELECT count(*) FROM public.documents d WHERE d.workspace_id = workspace AND d.status <> 'deleting');
        WHEN 'chunks' THEN RETURN (SELECT coalesce(sum(d.chunks), 0) FROM public.documents d WHERE d.workspace_id = workspace AND d.status <> 'deleting');
        WHEN 'knowledge_bytes' THEN RETURN (SELECT coalesce(sum(d.text_bytes), 0) FROM public.documents d WHERE d.workspace_id = workspace AND d.status <> 'deleting');
        WHEN 'end_users' THEN RETURN (SELECT count(*) FROM public.end_users e WHERE e.workspace_id = workspace);
        ELSE RETURN NULL;
    END CASE;
END $function$;

ALTER TABLE workspace_limits NO FORCE ROW LEVEL SECURITY; -- an owner that is no superuser reads all rows
DELETE FROM workspace_limits WHERE metric = 'tools';
ALTER TABLE workspace_limits DROP CONSTRAINT workspace_limits_metric_check, ADD CONSTRAINT workspace_limits_metric_check
    CHECK (metric IN ('turns', 'tokens', 'messages', 'webhook_events', 'storage_bytes', 'bots', 'members', 'api_keys', 'webhook_subscriptions', 'cost_micros',
                      'knowledge_bases', 'documents', 'chunks', 'knowledge_bytes', 'end_users'));
ALTER TABLE workspace_limits FORCE ROW LEVEL SECURITY;
DROP TABLE tool_versions;
DROP TABLE tools;
DROP FUNCTION app.known_tools();
DROP VIEW app.bot_tools;
