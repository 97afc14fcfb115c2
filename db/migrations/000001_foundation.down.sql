DROP FUNCTION app.wall(regclass);
DROP FUNCTION app.require(boolean, text);
DROP FUNCTION app.user_id();
DROP FUNCTION app.workspace_id();
REVOKE USAGE ON SCHEMA public FROM parley_app, parley_door;
DROP SCHEMA app;
