DROP POLICY owner ON threads;
DROP INDEX threads_by_owner;
ALTER TABLE threads DROP COLUMN end_user_id, DROP COLUMN owner_id;
DROP FUNCTION app.set_tenant(text, text, text, text, text);
DROP FUNCTION app.keep_to_owner(regclass, text);
DROP FUNCTION app.owns_turn(uuid);
DROP FUNCTION app.owns_thread(uuid);
