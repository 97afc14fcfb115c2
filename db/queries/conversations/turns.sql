-- name: StartTurn :one
-- Opens a turn in one statement: numbers the two messages, pins the bot's live version, stores the user message.
-- Raises PY404 when there is no such active thread, 23505 on llm_turns_one_running when a turn runs in it already.
WITH thread AS (
    UPDATE threads t SET last_seq = t.last_seq + 2
     WHERE t.workspace_id = @workspace_id AND t.id = @thread_id AND t.status = 'active'
 RETURNING t.bot_id, t.last_seq - 1 AS user_seq, t.endpoint_id, t.conversation_id
), pinned AS (
    SELECT thread.bot_id, thread.user_seq, thread.endpoint_id, thread.conversation_id, live.version, live.instruction, live.settings
      FROM thread
      LEFT JOIN app.live_versions live ON live.workspace_id = @workspace_id AND live.bot_id = thread.bot_id
), turn AS (
    INSERT INTO llm_turns (workspace_id, id, thread_id, actor_id, operation_id, bot_id, bot_version, provider, model,
                           status, user_seq, lease_until, created_at)
    SELECT @workspace_id, @turn_id, @thread_id, @actor_id, @operation_id, pinned.bot_id, pinned.version, @provider, @model,
           'running', pinned.user_seq, @lease_until, @created_at
      FROM pinned
), message AS (
    INSERT INTO messages (workspace_id, id, thread_id, turn_id, seq, role, content, operation_id, created_at)
    SELECT @workspace_id, @message_id, @thread_id, @turn_id, pinned.user_seq, 'user', @content, @operation_id, @created_at
      FROM pinned
)
SELECT app.require(pinned.user_seq IS NOT NULL, 'thread') AS found,
       pinned.bot_id, coalesce(pinned.user_seq, 0)::bigint AS user_seq, pinned.version, pinned.instruction, pinned.settings,
       pinned.endpoint_id, pinned.conversation_id
  FROM (SELECT 1) one
  LEFT JOIN pinned ON true;

-- name: FinishTurn :exec
-- Compare and set: raises PY404 unless this very attempt is still running, so that a late writer loses.
WITH turn AS (
    UPDATE llm_turns
       SET status = @status, finished_at = @finished_at, latency_ms = @latency_ms, error = sqlc.narg('error'),
           input_tokens = sqlc.narg('input_tokens'), output_tokens = sqlc.narg('output_tokens'),
           finish_reason = sqlc.narg('finish_reason'), error_code = sqlc.narg('error_code'), error_message = sqlc.narg('error_message')
     WHERE workspace_id = @workspace_id AND id = @turn_id AND attempt = @attempt AND status = 'running'
 RETURNING id
)
SELECT app.require(EXISTS (SELECT 1 FROM turn), 'turn');

-- name: CreateMessage :exec
INSERT INTO messages (workspace_id, id, thread_id, turn_id, seq, role, content, operation_id, created_at)
VALUES (@workspace_id, @id, @thread_id, @turn_id, @seq, @role, @content, @operation_id, @created_at);

-- name: FindRunningTurn :one
SELECT id, lease_until FROM llm_turns
 WHERE workspace_id = @workspace_id AND thread_id = @thread_id AND status = 'running';

-- name: LockThreadOfOperation :exec
-- Keeps other turns from starting in the thread of an operation's turn until the transaction ends.
SELECT 1 FROM threads th
 WHERE th.workspace_id = @workspace_id AND th.id = (
       SELECT t.thread_id FROM llm_turns t
        WHERE t.workspace_id = @workspace_id AND t.actor_id = @actor_id AND t.operation_id = @operation_id)
   FOR UPDATE;

-- name: ResumeTurn :one
-- Takes the next attempt of an operation's turn: after a failure while it is the thread's last turn, or when its lease has run out.
UPDATE llm_turns t
   SET status = 'running', attempt = t.attempt + 1, lease_until = @lease_until, finished_at = NULL, error = NULL
  FROM threads th, messages m
 WHERE t.workspace_id = @workspace_id AND t.actor_id = @actor_id AND t.operation_id = @operation_id
   AND th.workspace_id = t.workspace_id AND th.id = t.thread_id
   AND m.workspace_id = t.workspace_id AND m.turn_id = t.id AND m.role = 'user'
   AND th.last_seq = t.user_seq + 1
   AND (t.status = 'failed' OR (t.status = 'running' AND t.lease_until < now()))
RETURNING t.id, t.thread_id, t.bot_id, t.bot_version, t.user_seq, t.attempt, t.provider, t.model,
          m.id AS message_id, m.content, m.created_at, th.endpoint_id, th.conversation_id;

-- name: GetTurnState :one
SELECT id, thread_id, status FROM llm_turns
 WHERE workspace_id = @workspace_id AND actor_id = @actor_id AND operation_id = @operation_id;

-- name: GetPinnedVersion :one
SELECT v.instruction, v.settings
  FROM llm_turns t
  JOIN app.versions v ON v.workspace_id = t.workspace_id AND v.bot_id = t.bot_id AND v.version = t.bot_version
 WHERE t.workspace_id = @workspace_id AND t.id = @turn_id;

-- name: AbandonedTurns :many
-- Turns of all workspaces whose lease has run out.
SELECT workspace_id::uuid AS workspace_id, thread_id::uuid AS thread_id, actor_id::uuid AS actor_id,
       operation_id::uuid AS operation_id, attempt::integer AS attempt
  FROM app.abandoned_turns(@most::integer);

-- name: FreeThread :one
-- Gives up the turn of a thread whose lease has run out, so that another may run.
UPDATE llm_turns t SET status = 'failed', finished_at = now(), error = @error, error_code = NULL
  FROM threads th
 WHERE t.workspace_id = @workspace_id AND t.thread_id = @thread_id AND t.status = 'running' AND t.lease_until < now()
   AND th.workspace_id = t.workspace_id AND th.id = t.thread_id
RETURNING t.id, t.operation_id, t.attempt, t.bot_id, t.bot_version, th.endpoint_id, th.conversation_id;
