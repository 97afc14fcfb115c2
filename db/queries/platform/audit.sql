-- name: RecordAudit :exec
INSERT INTO audit_log (workspace_id, id, user_id, operation_id, trace_id, action, resource_type, resource_id, changes, ip, user_agent)
VALUES (@workspace_id, @id, @user_id, @operation_id, @trace_id, @action, @resource_type, @resource_id, @changes, @ip, @user_agent);

-- name: ListAudit :many
SELECT id, workspace_id, user_id, operation_id, trace_id, action, resource_type, resource_id, changes, ip, user_agent, created_at
  FROM audit_log
 WHERE workspace_id = @workspace_id
   AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before')::uuid)
   AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id')::uuid)
   AND (sqlc.narg('action')::text IS NULL OR action = sqlc.narg('action')::text)
   AND (sqlc.narg('resource_type')::text IS NULL OR resource_type = sqlc.narg('resource_type')::text)
   AND (sqlc.narg('resource_id')::uuid IS NULL OR resource_id = sqlc.narg('resource_id')::uuid)
   AND (sqlc.narg('operation_id')::uuid IS NULL OR operation_id = sqlc.narg('operation_id')::uuid)
   AND (sqlc.narg('from_time')::timestamptz IS NULL OR created_at >= sqlc.narg('from_time')::timestamptz)
   AND (sqlc.narg('to_time')::timestamptz IS NULL OR created_at < sqlc.narg('to_time')::timestamptz)
 ORDER BY id DESC
 LIMIT @count;

-- name: AuditToSeal :many
SELECT workspace_id::uuid AS workspace_id, up_to::bigint AS up_to FROM app.audit_to_seal();

-- name: AuditSealed :exec
SELECT app.audit_sealed(@up_to::bigint);

-- name: ReadForSeal :many
-- The bytes that a seal covers: every column, in one fixed form.
SELECT txid, id,
       jsonb_build_array(id, user_id, operation_id, trace_id, action, resource_type, resource_id, changes,
                         host(ip), user_agent, extract(epoch FROM created_at), txid)::text AS bytes
  FROM audit_log
 WHERE workspace_id = @workspace_id AND txid >= @from_txid AND txid < @to_txid AND (txid, id) > (@after_txid::bigint, @after_id::uuid)
 ORDER BY txid, id
 LIMIT @count;

-- name: LastSeal :one
SELECT seq, to_txid, mac FROM audit_seals WHERE workspace_id = @workspace_id ORDER BY seq DESC LIMIT 1;

-- name: CreateSeal :one
INSERT INTO audit_seals (workspace_id, seq, from_txid, to_txid, rows, mac)
VALUES (@workspace_id, @seq, @from_txid, @to_txid, @rows, @mac)
RETURNING seq;

-- name: ListSeals :many
SELECT seq, from_txid, to_txid, rows, mac FROM audit_seals
 WHERE workspace_id = @workspace_id AND seq > @after ORDER BY seq LIMIT @count;

-- name: CountAudit :one
SELECT count(*) FROM audit_log WHERE workspace_id = @workspace_id AND txid >= @from_txid AND txid < @to_txid;

-- name: AuditSealedTo :one
-- Below this transaction every row of every workspace has been sealed.
SELECT app.audit_sealed_to()::bigint;
