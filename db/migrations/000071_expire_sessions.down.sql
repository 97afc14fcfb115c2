DROP FUNCTION app.expire_sessions(integer);
REVOKE DELETE ON account_sessions FROM parley_door;
DROP POLICY door_expire ON account_sessions;
DROP POLICY door_expire ON sessions;
DROP INDEX sessions_by_age;
DROP FUNCTION app.session_end(timestamptz, timestamptz, timestamptz);
