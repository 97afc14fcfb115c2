-- name: RateMessage :one
-- No row: there is no such message. It is locked, so that its text is not erased before the answer with it is stored. Nothing is stored, and rated_at is null, where it is no answer.
WITH message AS (
    SELECT m.id, m.thread_id, m.turn_id, m.seq, m.role, m.content, m.operation_id, m.created_at, m.status, m.citations, m.structured
      FROM messages m
     WHERE m.workspace_id = @workspace_id AND m.id = @id AND m.erased_at IS NULL
       AND EXISTS (SELECT FROM threads t WHERE t.workspace_id = m.workspace_id AND t.id = m.thread_id AND t.deleted_at IS NULL)
       FOR SHARE OF m
), rated AS (
    INSERT INTO message_feedback (workspace_id, thread_id, user_id, seq, rating, comment, created_at, updated_at)
    SELECT @workspace_id, m.thread_id, @user_id, m.seq, @rating, @comment, @at, @at
      FROM message m WHERE m.role = 'assistant'
        ON CONFLICT (workspace_id, thread_id, user_id, seq) DO UPDATE
           SET rating = excluded.rating, comment = excluded.comment, updated_at = excluded.updated_at
 RETURNING seq, updated_at
)
SELECT m.id, m.thread_id, m.turn_id, m.seq, m.role, m.content, m.operation_id, m.created_at, m.status, m.citations, m.structured, r.updated_at AS rated_at
  FROM message m
  LEFT JOIN rated r ON r.seq = m.seq;
