-- What was filled into usage_counters stays: it was used.
DROP FUNCTION app.claim_operation(uuid, uuid, uuid, bytea, smallint);
ALTER TABLE operations DROP COLUMN fingerprint_version;
