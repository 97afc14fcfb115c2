DROP FUNCTION app.take_address(text[]);
DROP POLICY door_take ON users;
REVOKE UPDATE (verified_at, verified_by_link) ON users FROM parley_door;
ALTER TABLE account_links DROP COLUMN with_account;
ALTER TABLE users DROP COLUMN verified_by_link;
