DROP TABLE message_feedback;
DROP INDEX threads_of_bot;
ALTER TABLE threads DROP COLUMN metadata, DROP COLUMN title;
DROP FUNCTION app.refuse(text);
DROP VIEW app.live_versions;
CREATE VIEW app.live_versions WITH (security_invoker = true) AS
    SELECT b.workspace_id, b.id AS bot_id, v.version, v.instruction, v.settings
      FROM public.bots b
      JOIN public.bot_versions v ON v.workspace_id = b.workspace_id AND v.bot_id = b.id AND v.version = b.current_version;
GRANT SELECT ON app.live_versions TO parley_app;
DROP TABLE bot_pointer_moves;
ALTER TABLE bot_versions DROP COLUMN note;
ALTER TABLE bots DROP CONSTRAINT bots_workspace_id_id_published_version_fkey, DROP COLUMN published_version;
