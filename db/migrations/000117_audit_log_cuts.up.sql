-- Rows of the audit log that are older than 90 days may go, where a cut says that the log begins later. app.cut_audit removes them.
CREATE POLICY cut ON audit_log FOR DELETE TO parley_door
    USING (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid
           AND app.audit_row_at(id, created_at) < now() - interval '90 days'
           AND EXISTS (SELECT FROM audit_cuts c WHERE c.workspace_id = audit_log.workspace_id));
