DROP FUNCTION app.adopt_key(bytea);
REVOKE UPDATE (key_print) ON installation FROM parley_door;
