-- name: CreateThread :exec
INSERT INTO threads (workspace_id, id, bot_id, status, created_by, created_at)
VALUES (@workspace_id, @id, @bot_id, @status, @created_by, @created_at);

-- name: GetThread :one
SELECT workspace_id, id, bot_id, status, created_at FROM threads WHERE workspace_id = @workspace_id AND id = @id;

-- name: ListThreads :many
SELECT workspace_id, id, bot_id, status, created_at FROM threads
 WHERE workspace_id = @workspace_id
   AND (sqlc.narg('before_at')::timestamptz IS NULL
        OR (created_at, id) < (sqlc.narg('before_at')::timestamptz, sqlc.narg('before_id')::uuid))
 ORDER BY created_at DESC, id DESC
 LIMIT @count;

-- name: ListMessages :many
SELECT id, thread_id, seq, role, content, operation_id, created_at FROM messages
 WHERE workspace_id = @workspace_id AND thread_id = @thread_id AND seq > @after
 ORDER BY seq
 LIMIT @count;
