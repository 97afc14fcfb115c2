DROP FUNCTION app.audit_sealed(bigint);
DROP FUNCTION app.audit_to_seal();
DROP POLICY door ON audit_log;
REVOKE SELECT ON audit_log FROM parley_door;
DROP TABLE audit_seal_progress;
DROP TABLE audit_seals;
ALTER TABLE audit_log DROP COLUMN txid;
