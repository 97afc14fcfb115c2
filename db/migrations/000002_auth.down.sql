DROP FUNCTION app.find_session(uuid);
DROP FUNCTION app.find_login(text);
DROP FUNCTION app.enter(uuid, uuid, uuid);
DROP TABLE sessions;
DROP TABLE workspace_members;
DROP TABLE users;
DROP TABLE workspaces;
