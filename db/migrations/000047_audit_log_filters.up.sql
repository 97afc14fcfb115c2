-- An index for each filter of the audit log, in the order of the list. The rows that there are most of, those of turns, are
-- left out of two of them: what filters for them finds them anywhere.
-- A log of many million rows is locked against changes while this runs. An operator may make the indexes before, one by
-- one and CONCURRENTLY: one that is there is kept.
CREATE INDEX IF NOT EXISTS audit_log_newest ON audit_log (workspace_id, created_at);
CREATE INDEX IF NOT EXISTS audit_log_by_user ON audit_log (workspace_id, user_id, created_at) WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS audit_log_by_key ON audit_log (workspace_id, api_key_id, created_at) WHERE api_key_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS audit_log_by_action ON audit_log (workspace_id, action, created_at) WHERE action <> 'turn.create';
CREATE INDEX IF NOT EXISTS audit_log_by_type ON audit_log (workspace_id, resource_type, created_at) WHERE resource_type <> 'thread';
CREATE INDEX IF NOT EXISTS audit_log_by_resource ON audit_log (workspace_id, resource_id, created_at) WHERE resource_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS audit_log_by_operation ON audit_log (workspace_id, operation_id) WHERE operation_id IS NOT NULL;
