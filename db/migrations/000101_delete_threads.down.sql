REVOKE SELECT (id, deleted_at), UPDATE (deleted_at) ON threads FROM parley_door;
DROP POLICY door ON threads;
DROP POLICY erase ON threads;
ALTER TABLE threads DROP COLUMN deleted_at;
DROP FUNCTION app.let_erase(regclass);
