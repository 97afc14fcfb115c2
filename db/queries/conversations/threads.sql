-- name: CreateThread :exec
INSERT INTO threads (workspace_id, id, bot_id, status, title, metadata, created_by, created_at)
VALUES (@workspace_id, @id, @bot_id, @status, @title, @metadata, @created_by, @created_at);

-- name: GetThread :one
-- When its last message was said is looked up, here and in the lists: a turn then has no column more to write.
SELECT t.workspace_id, t.id, t.bot_id, t.status, t.title, t.metadata, t.created_at, t.endpoint_id, t.conversation_id,
       ARRAY(SELECT m.created_at FROM messages m WHERE m.workspace_id = t.workspace_id AND m.thread_id = t.id
              ORDER BY m.seq DESC LIMIT 1)::timestamptz[] AS last_message_at -- of a thread without messages it is empty
  FROM threads t
 WHERE t.workspace_id = @workspace_id AND t.id = @id;

-- name: ChangeThread :one
UPDATE threads
   SET title = coalesce(sqlc.narg('title'), title), metadata = coalesce(sqlc.narg('metadata'), metadata),
       status = coalesce(sqlc.narg('status'), status)
 WHERE workspace_id = @workspace_id AND id = @id
RETURNING id;

-- name: ListThreads :many
SELECT t.workspace_id, t.id, t.bot_id, t.status, t.title, t.metadata, t.created_at, t.endpoint_id, t.conversation_id,
       ARRAY(SELECT m.created_at FROM messages m WHERE m.workspace_id = t.workspace_id AND m.thread_id = t.id
              ORDER BY m.seq DESC LIMIT 1)::timestamptz[] AS last_message_at -- of a thread without messages it is empty
  FROM threads t
 WHERE t.workspace_id = @workspace_id
   AND (sqlc.narg('status')::text IS NULL OR t.status = sqlc.narg('status')::text)
   AND (sqlc.narg('before_at')::timestamptz IS NULL
        OR (t.created_at, t.id) < (sqlc.narg('before_at')::timestamptz, sqlc.narg('before_id')::uuid))
 ORDER BY t.created_at DESC, t.id DESC
 LIMIT @count;

-- name: ListThreadsOfBot :many
-- A query of its own, for its own index: a bot may have few of a workspace's many threads.
SELECT t.workspace_id, t.id, t.bot_id, t.status, t.title, t.metadata, t.created_at, t.endpoint_id, t.conversation_id,
       ARRAY(SELECT m.created_at FROM messages m WHERE m.workspace_id = t.workspace_id AND m.thread_id = t.id
              ORDER BY m.seq DESC LIMIT 1)::timestamptz[] AS last_message_at -- of a thread without messages it is empty
  FROM threads t
 WHERE t.workspace_id = @workspace_id AND t.bot_id = @bot_id::uuid
   AND (sqlc.narg('status')::text IS NULL OR t.status = sqlc.narg('status')::text)
   AND (sqlc.narg('before_at')::timestamptz IS NULL
        OR (t.created_at, t.id) < (sqlc.narg('before_at')::timestamptz, sqlc.narg('before_id')::uuid))
 ORDER BY t.created_at DESC, t.id DESC
 LIMIT @count;

-- name: ListMessages :many
-- What the user thinks of them is read once for the page, not once a message. Contents have at most max_bytes together, and
-- those of the last two messages more: what does not fit is not read, as its length is known without it.
WITH mine AS MATERIALIZED (
    SELECT f.seq, f.rating, f.comment, f.updated_at FROM message_feedback f
     WHERE f.workspace_id = @workspace_id AND f.thread_id = @thread_id AND f.user_id = @user_id AND f.seq > @after
     ORDER BY f.seq
     LIMIT @count
)
SELECT m.id, m.thread_id, m.seq, m.role, m.content, m.operation_id, m.created_at, m.status,
       mine.rating, mine.comment, mine.updated_at AS rated_at
  FROM (SELECT n.id, n.thread_id, n.seq, n.role, n.content, n.operation_id, n.created_at, n.status,
               sum(octet_length(n.content)) OVER (ORDER BY n.seq ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) AS bytes_before
          FROM (SELECT p.id, p.thread_id, p.seq, p.role, p.content, p.operation_id, p.created_at, p.status FROM messages p
                 WHERE p.workspace_id = @workspace_id AND p.thread_id = @thread_id AND p.seq > @after
                 ORDER BY p.seq
                 LIMIT @count) n) m
  LEFT JOIN mine ON mine.seq = m.seq
 WHERE coalesce(m.bytes_before, 0) <= @max_bytes::bigint
 ORDER BY m.seq;

-- name: ListMessagesBackwards :many
WITH mine AS MATERIALIZED (
    SELECT f.seq, f.rating, f.comment, f.updated_at FROM message_feedback f
     WHERE f.workspace_id = @workspace_id AND f.thread_id = @thread_id AND f.user_id = @user_id AND f.seq < @before
     ORDER BY f.seq DESC
     LIMIT @count
)
SELECT m.id, m.thread_id, m.seq, m.role, m.content, m.operation_id, m.created_at, m.status,
       mine.rating, mine.comment, mine.updated_at AS rated_at
  FROM (SELECT n.id, n.thread_id, n.seq, n.role, n.content, n.operation_id, n.created_at, n.status,
               sum(octet_length(n.content)) OVER (ORDER BY n.seq DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) AS bytes_before
          FROM (SELECT p.id, p.thread_id, p.seq, p.role, p.content, p.operation_id, p.created_at, p.status FROM messages p
                 WHERE p.workspace_id = @workspace_id AND p.thread_id = @thread_id AND p.seq < @before
                 ORDER BY p.seq DESC
                 LIMIT @count) n) m
  LEFT JOIN mine ON mine.seq = m.seq
 WHERE coalesce(m.bytes_before, 0) <= @max_bytes::bigint
 ORDER BY m.seq DESC;

-- name: OpenChannelThread :one
-- The thread of a conversation of the outside, ready for its next message.
SELECT app.channel_thread(@workspace_id::uuid, @endpoint_id::uuid, @conversation_id::text, @id::uuid, @created_at::timestamptz)::uuid AS id;
