-- name: RateMessage :one
-- No row: there is no such message. Nothing is stored, and rated_at is null, where it is no answer.
WITH message AS (
    SELECT m.id, m.thread_id, m.seq, m.role, m.content, m.operation_id, m.created_at, m.status
      FROM messages m WHERE m.workspace_id = @workspace_id AND m.id = @id
), rated AS (
    INSERT INTO message_feedback (workspace_id, thread_id, user_id, seq, rating, comment, created_at, updated_at)
    SELECT @workspace_id, m.thread_id, @user_id, m.seq, @rating, @comment, @at, @at
      FROM message m WHERE m.role = 'assistant'
        ON CONFLICT (workspace_id, thread_id, user_id, seq) DO UPDATE
           SET rating = excluded.rating, comment = excluded.comment, updated_at = excluded.updated_at
 RETURNING seq, updated_at
)
SELECT m.id, m.thread_id, m.seq, m.role, m.content, m.operation_id, m.created_at, m.status, r.updated_at AS rated_at
  FROM message m
  LEFT JOIN rated r ON r.seq = m.seq;
