-- Tools: what bots may call outside of Parley, in immutable versions.
CREATE TABLE tools (
    workspace_id    uuid NOT NULL REFERENCES workspaces (id),
    id              uuid NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('http', 'client')),
    name            text NOT NULL CHECK (name ~ '^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$'), -- it never changes: models and settings know the tool by it
    current_version integer NOT NULL CHECK (current_version > 0),
    created_by      uuid NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX tools_name_key ON tools (workspace_id, name);

CREATE TABLE tool_versions (
    workspace_id       uuid NOT NULL,
    tool_id            uuid NOT NULL,
    version            integer NOT NULL CHECK (version > 0),
    description        text NOT NULL,
    schema             text NOT NULL, -- JSON Schema of the arguments, as it was written: models see the order of its properties
    effect             text NOT NULL CHECK (effect IN ('read', 'write')),
    timeout_ms         integer NOT NULL CHECK (timeout_ms > 0),
    max_output_bytes   integer NOT NULL CHECK (max_output_bytes > 0),
    url                text NOT NULL, -- empty, as the next two, for kinds that have none
    method             text NOT NULL,
    idempotency_header text NOT NULL,
    note               text NOT NULL,
    created_by         uuid NOT NULL,
    created_at         timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, tool_id, version),
    FOREIGN KEY (workspace_id, tool_id) REFERENCES tools (workspace_id, id) ON DELETE CASCADE
);

SELECT app.wall('tools'), app.wall('tool_versions');

-- The tools that the latest and the published version of each bot name, as settings have them.
CREATE VIEW app.bot_tools WITH (security_invoker = true) AS
SELECT b.workspace_id, b.id AS bot_id, b.name, b.status, v.version, v.version = b.published_version AS published,
       lower((v.settings -> 'tools')::text)::jsonb AS tools -- as ids are compared
  FROM bots b
 CROSS JOIN LATERAL (SELECT w.version, w.settings FROM bot_versions w
                      WHERE w.workspace_id = b.workspace_id AND w.bot_id = b.id AND w.version = ANY (ARRAY[b.current_version, b.published_version])
                     OFFSET 0) v
 WHERE v.settings ? 'tools';
GRANT SELECT ON app.bot_tools TO parley_app;

-- The tools that the bots of the transaction's key name, as app.known_bases has their knowledge bases.
CREATE FUNCTION app.known_tools() RETURNS uuid[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    RETURN ARRAY(
        SELECT DISTINCT (k.tool ->> 'id')::uuid
          FROM app.bot_tools b
         CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(b.tools) WHEN 'array' THEN b.tools ELSE '[]' END) k(tool)
         WHERE b.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid
           AND b.bot_id = ANY (nullif(current_setting('app.bots', true), '')::uuid[]) AND b.status <> 'archived'
           AND k.tool ->> 'id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$');
END $$;
REVOKE EXECUTE ON FUNCTION app.known_tools() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.known_tools() TO parley_app;

SELECT app.let_key_read('tools', 'coalesce(id = ANY ((SELECT app.known_tools())::uuid[]), false)'),
       app.let_key_read('tool_versions', 'coalesce(tool_id = ANY ((SELECT app.known_tools())::uuid[]), false)');
GRANT SELECT, INSERT, DELETE, UPDATE (current_version, updated_at) ON tools TO parley_app;
GRANT SELECT, INSERT ON tool_versions TO parley_app;

-- How many there are of a workspace is limited.
ALTER TABLE workspace_limits NO FORCE ROW LEVEL SECURITY; -- a new check reads the table
ALTER TABLE workspace_limits DROP CONSTRAINT workspace_limits_metric_check, ADD CONSTRAINT workspace_limits_metric_check
    CHECK (metric IN ('turns', 'tokens', 'messages', 'webhook_events', 'storage_bytes', 'bots', 'members', 'api_keys', 'webhook_subscriptions', 'cost_micros',
                      'knowledge_bases', 'documents', 'chunks', 'knowledge_bytes', 'end_users', 'tools'));
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
        WHEN 'tools' THEN RETURN (SELECT count(*) FROM public.tools t WHERE t.workspace_id = workspace);
        ELSE RETURN NULL;
    END CASE;
END $function$;
