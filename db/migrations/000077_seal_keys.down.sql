ALTER TABLE audit_seals DROP COLUMN key_id;
