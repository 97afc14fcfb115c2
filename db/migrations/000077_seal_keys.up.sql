-- The id of the SECRET_KEY that a seal was made with; null: a release before ids made it.
ALTER TABLE audit_seals ADD COLUMN key_id bytea CHECK (octet_length(key_id) = 8);
