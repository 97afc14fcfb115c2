DROP FUNCTION app.claim_operation(uuid, uuid, uuid, bytea, smallint);
ALTER TABLE operations DROP COLUMN fingerprint_version;
