DROP VIEW app.bot_endpoints;
DROP FUNCTION app.locate_bots_with_threads(double precision, integer);
DROP FUNCTION app.erase_bot(uuid);
REVOKE SELECT (bot_id), UPDATE (instruction, settings, note) ON bot_versions FROM parley_door;
DROP POLICY erase ON bot_versions;
DROP VIEW app.live_versions;
CREATE VIEW app.live_versions WITH (security_invoker = true) AS
SELECT b.workspace_id, b.id AS bot_id, v.version, v.instruction, v.settings, b.status
  FROM bots b
  JOIN bot_versions v ON v.workspace_id = b.workspace_id AND v.bot_id = b.id AND v.version = b.published_version;
GRANT SELECT ON app.live_versions TO parley_app;
