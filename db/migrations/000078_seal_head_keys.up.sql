-- The id of the SECRET_KEY that mac was made with; null: a release before ids made it.
ALTER TABLE audit_seal_heads ADD COLUMN key_id bytea CHECK (octet_length(key_id) = 8);
GRANT SELECT (key_id) ON audit_seal_heads TO parley_door;
