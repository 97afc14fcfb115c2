-- name: CreateThread :exec
INSERT INTO threads (workspace_id, id, bot_id, status, created_by, created_at)
VALUES (@workspace_id, @id, @bot_id, @status, @created_by, @created_at);

-- name: GetThread :one
SELECT workspace_id, id, bot_id, status, created_at, endpoint_id, conversation_id FROM threads WHERE workspace_id = @workspace_id AND id = @id;

-- name: ListThreads :many
SELECT workspace_id, id, bot_id, status, created_at, endpoint_id, conversation_id FROM threads
 WHERE workspace_id = @workspace_id
   AND (sqlc.narg('before_at')::timestamptz IS NULL
        OR (created_at, id) < (sqlc.narg('before_at')::timestamptz, sqlc.narg('before_id')::uuid))
 ORDER BY created_at DESC, id DESC
 LIMIT @count;

-- name: ListMessages :many
SELECT id, thread_id, seq, role, content, operation_id, created_at, status FROM messages
 WHERE workspace_id = @workspace_id AND thread_id = @thread_id AND seq > @after
 ORDER BY seq
 LIMIT @count;

-- name: OpenChannelThread :one
-- The thread of a conversation of the outside, opened by its first message.
INSERT INTO threads (workspace_id, id, bot_id, status, created_by, created_at, endpoint_id, conversation_id)
SELECT @workspace_id, @id, e.bot_id, 'active', e.id, @created_at, e.id, @conversation_id::text
  FROM webhook_endpoints e WHERE e.workspace_id = @workspace_id AND e.id = @endpoint_id
    ON CONFLICT (endpoint_id, conversation_id, workspace_id) WHERE endpoint_id IS NOT NULL DO UPDATE SET status = threads.status
RETURNING id;
