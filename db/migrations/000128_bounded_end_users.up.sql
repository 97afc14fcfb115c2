-- How many end users a workspace has is limited, and anonymous ones that never opened a thread are removed.
ALTER TABLE workspace_limits NO FORCE ROW LEVEL SECURITY; -- a new check reads the table
ALTER TABLE workspace_limits DROP CONSTRAINT workspace_limits_metric_check, ADD CONSTRAINT workspace_limits_metric_check
    CHECK (metric IN ('turns', 'tokens', 'messages', 'webhook_events', 'storage_bytes', 'bots', 'members', 'api_keys', 'webhook_subscriptions', 'cost_micros',
                      'knowledge_bases', 'documents', 'chunks', 'knowledge_bytes', 'end_users'));
ALTER TABLE workspace_limits FORCE ROW LEVEL SECURITY;

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

-- The bots that end users have had tokens for.
CREATE TABLE end_user_bots (
    workspace_id uuid NOT NULL,
    end_user_id  uuid NOT NULL,
    bot_id       uuid NOT NULL,
    PRIMARY KEY (workspace_id, bot_id, end_user_id),
    FOREIGN KEY (workspace_id, end_user_id) REFERENCES end_users (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX end_user_bots_of_end_user ON end_user_bots (workspace_id, end_user_id);
SELECT app.wall('end_user_bots');
SELECT app.keep_to_bots('end_user_bots', 'bot_id');
GRANT SELECT, INSERT, DELETE ON end_user_bots TO parley_app;

-- Whether the caller may say what is known of an end user: anybody but an API key that is limited to bots, if the end user has had
-- tokens for others.
CREATE FUNCTION app.describes_end_user(end_user uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    its_workspace text := coalesce(current_setting('app.workspace_id', true), '');
    its_user      text := coalesce(current_setting('app.user_id', true), '');
    its_role      text := coalesce(current_setting('app.role', true), '');
    its_bots      text := coalesce(current_setting('app.bots', true), '');
    others        boolean;
BEGIN
    IF its_bots = '' THEN
        RETURN true;
    END IF;
    PERFORM app.set_tenant(its_workspace, its_user, its_role, ''); -- for this question the key sees all bots
    others := EXISTS (SELECT FROM public.end_user_bots b
                       WHERE b.workspace_id = its_workspace::uuid AND b.end_user_id = end_user AND b.bot_id <> ALL (its_bots::uuid[]));
    PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
    RETURN NOT others;
END $$;
REVOKE EXECUTE ON FUNCTION app.describes_end_user(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.describes_end_user(uuid) TO parley_app;

GRANT DELETE ON end_users TO parley_app;
CREATE VIEW app.thread_owners WITH (security_invoker = true) AS SELECT workspace_id, owner_id FROM threads WHERE owner_id IS NOT NULL;
GRANT SELECT ON app.thread_owners TO parley_app;

CREATE INDEX end_users_anonymous ON end_users (last_token_at, id) WHERE external_id IS NULL;
GRANT SELECT (external_id, last_token_at) ON end_users TO parley_door;
CREATE FUNCTION app.locate_anonymous_end_users(since timestamptz, before timestamptz, after_at timestamptz, after_id uuid, max_rows integer)
    RETURNS TABLE (workspace_id uuid, end_user_id uuid, last_token_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.workspace_id, e.id, e.last_token_at
      FROM public.end_users e
     WHERE e.external_id IS NULL AND e.last_token_at >= since AND e.last_token_at < before AND (e.last_token_at, e.id) > (after_at, after_id)
     ORDER BY e.last_token_at, e.id
     LIMIT max_rows
$$;
REVOKE EXECUTE ON FUNCTION app.locate_anonymous_end_users(timestamptz, timestamptz, timestamptz, uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.locate_anonymous_end_users(timestamptz, timestamptz, timestamptz, uuid, integer) TO parley_app;
GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.locate_anonymous_end_users(timestamptz, timestamptz, timestamptz, uuid, integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
