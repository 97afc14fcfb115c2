-- What the knowledge module may read of bots: the knowledge bases that the latest and the published version of each bot name, as
-- the settings have them, in lower case so that ids compare. The view belongs to bots, and works with the rights of who asks, so that
-- row-level security holds.
CREATE VIEW app.bot_knowledge WITH (security_invoker = true) AS
SELECT b.workspace_id, b.id AS bot_id, b.name, b.status, v.version, v.version = b.published_version AS published,
       lower((v.settings -> 'knowledge')::text)::jsonb AS bases
  FROM bots b
  JOIN bot_versions v ON v.workspace_id = b.workspace_id AND v.bot_id = b.id AND v.version IN (b.current_version, b.published_version)
 WHERE v.settings ? 'knowledge';
GRANT SELECT ON app.bot_knowledge TO parley_app;
