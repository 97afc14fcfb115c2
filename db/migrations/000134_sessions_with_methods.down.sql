DROP FUNCTION app.own_authenticated_sessions(timestamptz, uuid, integer, boolean);
