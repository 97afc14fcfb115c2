CREATE OR REPLACE VIEW app.bot_knowledge WITH (security_invoker = true) AS
SELECT b.workspace_id, b.id AS bot_id, b.name, b.status, v.version, v.version = b.published_version AS published,
       lower((v.settings -> 'knowledge')::text)::jsonb AS bases
  FROM bots b
  JOIN bot_versions v ON v.workspace_id = b.workspace_id AND v.bot_id = b.id AND v.version IN (b.current_version, b.published_version)
 WHERE v.settings ? 'knowledge';
REVOKE DELETE ON turn_events FROM parley_app;
REVOKE UPDATE (citations) ON messages FROM parley_app;
REVOKE UPDATE (candidates) ON retrievals FROM parley_app;
DROP TABLE document_files;
