-- Deleting threads and messages. What it does in all tables is in functions, which alone have the right to: app.erase_turns.

-- name: LockThreadToErase :one
-- Keeps turns from beginning in the thread until the transaction ends.
SELECT t.id FROM threads t
 WHERE t.workspace_id = @workspace_id AND t.id = @thread_id AND t.deleted_at IS NULL
   FOR NO KEY UPDATE; -- a message that is being stored holds the thread's key

-- name: StopRunningTurn :many
-- The turn that runs in a locked thread, which stays locked, and asks its process to stop it: that is told at the commit.
WITH running AS (
    SELECT t.id, t.attempt FROM llm_turns t
     WHERE t.workspace_id = @workspace_id AND t.thread_id = @thread_id AND t.finished_at IS NULL
       FOR UPDATE
)
SELECT running.id, pg_notify('parley_cancels', running.id::text || '/' || running.attempt::text)::text AS told FROM running;

-- name: ThreadOfMessage :one
SELECT m.thread_id FROM messages m
  JOIN threads t ON t.workspace_id = m.workspace_id AND t.id = m.thread_id AND t.deleted_at IS NULL
 WHERE m.workspace_id = @workspace_id AND m.id = @id AND m.erased_at IS NULL;

-- name: EraseMessage :one
SELECT app.erase_message(@id::uuid)::text AS erased;

-- name: MarkThreadDeleted :one
-- Its conversation in an outside system begins another thread from now on. It is archived for processes of the release before.
UPDATE threads SET deleted_at = now(), status = 'archived', title = '', metadata = '{}', variables = '{}', endpoint_id = NULL, conversation_id = NULL
 WHERE workspace_id = @workspace_id AND id = @thread_id
RETURNING id;

-- name: EraseThread :one
SELECT app.erase_thread(@thread_id::uuid, @max_turns::integer)::boolean AS more;

-- name: LocateDeletedThreads :many
-- Those of all workspaces whose erasure waits for a job that is not there.
SELECT workspace_id::uuid AS workspace_id, thread_id::uuid AS thread_id FROM app.locate_deleted_threads(@older_seconds::double precision, @max_rows::integer);

-- name: StopTurnsOfBot :many
-- The turns of a bot that run, which stay locked, and asks their processes to stop them: that is told at the commit.
WITH running AS (
    SELECT t.id, t.thread_id, t.attempt FROM llm_turns t
     WHERE t.workspace_id = @workspace_id AND t.bot_id = @bot_id::uuid AND t.finished_at IS NULL
     ORDER BY t.id
       FOR UPDATE
)
SELECT running.id, running.thread_id, pg_notify('parley_cancels', running.id::text || '/' || running.attempt::text)::text AS told FROM running;

-- name: LockThreadsOfOwner :many
-- The threads of an end user, which stay locked: no turn begins in them.
SELECT t.id FROM threads t
 WHERE t.workspace_id = @workspace_id AND t.owner_id = @owner_id::uuid AND t.deleted_at IS NULL
 ORDER BY t.id
   FOR NO KEY UPDATE; -- a message that is being stored holds the thread's key

-- name: StopTurnsOfOwner :many
-- The turns that run in locked threads of an end user, which stay locked too, and asks their processes to stop them: that is told at the commit.
WITH running AS (
    SELECT l.id, l.thread_id, l.attempt FROM llm_turns l
     WHERE l.workspace_id = @workspace_id AND l.thread_id = ANY (@threads::uuid[]) AND l.finished_at IS NULL
     ORDER BY l.id
       FOR UPDATE
)
SELECT running.id, running.thread_id, pg_notify('parley_cancels', running.id::text || '/' || running.attempt::text)::text AS told FROM running;

-- name: MarkThreadsDeleted :exec
UPDATE threads SET deleted_at = now(), status = 'archived', title = '', metadata = '{}', variables = '{}', endpoint_id = NULL, conversation_id = NULL
 WHERE workspace_id = @workspace_id AND id = ANY (@threads::uuid[]);

-- name: ThreadsOfBot :many
SELECT t.id FROM threads t
 WHERE t.workspace_id = @workspace_id AND t.bot_id = @bot_id::uuid AND t.deleted_at IS NULL
 ORDER BY t.created_at DESC, t.id DESC
 LIMIT @count;

-- name: ThreadsWithoutActivity :many
-- Of the threads that were made before a time, the oldest first and after one of them, max_rows at the most, in which of them nothing was said since.
SELECT t.created_at, t.id,
       (NOT EXISTS (SELECT FROM messages m
                     WHERE m.workspace_id = t.workspace_id AND m.thread_id = t.id AND m.seq = t.last_seq AND m.created_at >= @before::timestamptz))::boolean AS old
  FROM threads t
 WHERE t.workspace_id = @workspace_id AND (t.created_at, t.id) > (@after_time::timestamptz, @after_id::uuid) AND t.created_at < @before::timestamptz AND t.deleted_at IS NULL
 ORDER BY t.created_at, t.id
 LIMIT @max_rows;

-- name: ThreadHasActivity :one
-- Of a thread that is locked: whether a turn runs in it, or something was said since a time.
SELECT (EXISTS (SELECT FROM llm_turns l WHERE l.workspace_id = @workspace_id AND l.thread_id = @thread_id AND (l.finished_at IS NULL OR l.finished_at >= @before::timestamptz))
     OR EXISTS (SELECT FROM messages m WHERE m.workspace_id = @workspace_id AND m.thread_id = @thread_id AND m.created_at >= @before::timestamptz))::boolean AS active;
