DROP FUNCTION app.begin_audit_adoption(timestamptz, bytea);
DROP FUNCTION app.audit_adoption();
DROP FUNCTION app.audit_heads(text, uuid, integer);
DROP POLICY door ON audit_seal_heads;
REVOKE SELECT (workspace_id, mac, mac_seq, anchored_seq) ON audit_seal_heads FROM parley_door;
-- The policy purge_look of a purge reads workspace_id.
GRANT SELECT (workspace_id) ON audit_seal_heads TO parley_door;
ALTER TABLE audit_seal_progress DROP COLUMN adopt_until, DROP COLUMN adopt_mac;
DROP INDEX audit_seal_heads_to_anchor, audit_seal_heads_to_adopt;
ALTER TABLE audit_seal_heads
    DROP CONSTRAINT audit_seal_heads_authenticated,
    DROP COLUMN mac_seq,
    DROP COLUMN mac_rows,
    DROP COLUMN mac,
    DROP COLUMN anchored_seq;
