-- name: RecordAudit :exec
INSERT INTO audit_log (workspace_id, id, user_id, operation_id, trace_id, action, resource_type, resource_id, changes, ip, user_agent)
VALUES (@workspace_id, @id, @user_id, @operation_id, @trace_id, @action, @resource_type, @resource_id, @changes, @ip, @user_agent);
