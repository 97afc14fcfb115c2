REVOKE SELECT (key_id) ON audit_seal_heads FROM parley_door;
ALTER TABLE audit_seal_heads DROP COLUMN key_id;
