DROP VIEW app.versions;
DROP VIEW app.live_versions;
ALTER TABLE bots DROP CONSTRAINT bots_workspace_id_id_current_version_fkey;
DROP TABLE bot_versions;
DROP TABLE bots;
