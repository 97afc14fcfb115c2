DROP FUNCTION app.end_other_sessions(uuid);
DROP FUNCTION app.end_login(bytea);
DROP FUNCTION app.begin_login(bytea);
DROP INDEX sessions_of_user;
DROP POLICY door_end ON sessions;
REVOKE UPDATE (revoked_at) ON sessions FROM parley_door;
DROP TABLE login_attempts;
