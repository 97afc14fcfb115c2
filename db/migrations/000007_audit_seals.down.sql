DROP FUNCTION app.audit_sealed(timestamptz);
DROP FUNCTION app.audit_to_seal(integer);
DROP INDEX audit_log_by_age;
DROP POLICY door ON audit_log;
REVOKE SELECT ON audit_log FROM parley_door;
DROP TABLE audit_seal_progress;
DROP TABLE audit_seal_heads;
DROP TABLE audit_seals;
