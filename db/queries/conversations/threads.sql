-- name: CreateThreadWithoutBot :exec
INSERT INTO threads (workspace_id, id, status, title, metadata, variables, created_by, created_at)
VALUES (@workspace_id, @id, @status, @title, @metadata, @variables, @created_by, @created_at);

-- name: CreateThreadWithBot :one
-- Returns whether the bot is archived; no row if the workspace has no such bot, or the API key is limited to others. A thread with
-- an archived bot is not created, and neither is one whose id is taken: the caller may have opened it before.
WITH bot AS (
    SELECT b.bot_id, b.status FROM app.live_versions b WHERE b.workspace_id = @workspace_id AND b.bot_id = @bot_id AND b.deleted_at IS NULL
), created AS (
    INSERT INTO threads (workspace_id, id, bot_id, status, title, metadata, variables, created_by, created_at, expires_at, trial)
    SELECT @workspace_id, @id, bot.bot_id, @status, @title, @metadata, @variables, @created_by, @created_at, sqlc.narg('expires_at')::timestamptz, @trial::boolean
      FROM bot WHERE bot.status <> 'archived'
        ON CONFLICT (workspace_id, id) DO NOTHING
)
SELECT (bot.status = 'archived')::boolean AS archived FROM bot;

-- name: GetThread :one
-- When its last message was said is looked up, here and in the lists: a turn then has no column more to write.
SELECT t.workspace_id, t.id, t.bot_id, t.status, t.title, t.metadata, t.variables, t.created_at, t.endpoint_id, t.conversation_id, t.end_user_id, t.expires_at, t.trial,
       ARRAY(SELECT m.created_at FROM messages m WHERE m.workspace_id = t.workspace_id AND m.thread_id = t.id
              ORDER BY m.seq DESC LIMIT 1)::timestamptz[] AS last_message_at, -- of a thread without messages it is empty
       c.turn_id AS current_turn_id
  FROM threads t
  LEFT JOIN messages c ON c.workspace_id = t.workspace_id AND c.thread_id = t.id AND c.role = 'user' AND c.seq = app.current_seq(t.path, t.last_seq)
 WHERE t.workspace_id = @workspace_id AND t.id = @id AND t.deleted_at IS NULL;

-- name: ChangeThread :one
UPDATE threads
   SET title = coalesce(sqlc.narg('title'), title), metadata = coalesce(sqlc.narg('metadata'), metadata),
       status = coalesce(sqlc.narg('status'), status), variables = coalesce(sqlc.narg('variables'), variables)
 WHERE workspace_id = @workspace_id AND id = @id AND deleted_at IS NULL
RETURNING id;

-- name: SwitchBranch :one
-- Makes the branch that ends with a turn the current one of a thread that is locked. Raises PY409 with 'branches' where its path has too many pieces.
UPDATE threads t SET path = nullif(app.path_to(l.path, l.user_seq) + int8multirange(int8range(t.last_seq + 1, NULL)), '{[1,)}')
  FROM llm_turns l
 WHERE t.workspace_id = @workspace_id AND t.id = @thread_id AND t.deleted_at IS NULL
   AND l.workspace_id = @workspace_id AND l.thread_id = @thread_id AND l.id = @turn_id
RETURNING app.refuse(CASE WHEN (SELECT count(*) FROM unnest(t.path)) > @max_pieces::integer THEN 'branches' END) AS refused;

-- name: ListThreads :many
SELECT t.workspace_id, t.id, t.bot_id, t.status, t.title, t.metadata, t.variables, t.created_at, t.endpoint_id, t.conversation_id, t.end_user_id, t.expires_at, t.trial,
       ARRAY(SELECT m.created_at FROM messages m WHERE m.workspace_id = t.workspace_id AND m.thread_id = t.id
              ORDER BY m.seq DESC LIMIT 1)::timestamptz[] AS last_message_at, -- of a thread without messages it is empty
       c.turn_id AS current_turn_id
  FROM threads t
  LEFT JOIN messages c ON c.workspace_id = t.workspace_id AND c.thread_id = t.id AND c.role = 'user' AND c.seq = app.current_seq(t.path, t.last_seq)
 WHERE t.workspace_id = @workspace_id AND t.deleted_at IS NULL AND t.expires_at IS NULL
   AND (sqlc.narg('status')::text IS NULL OR t.status = sqlc.narg('status')::text)
   AND (sqlc.narg('before_at')::timestamptz IS NULL
        OR (t.created_at, t.id) < (sqlc.narg('before_at')::timestamptz, sqlc.narg('before_id')::uuid))
 ORDER BY t.created_at DESC, t.id DESC
 LIMIT @count;

-- name: ListTrialThreads :many
-- The threads in which versions of bots are tried, which the other lists leave out. They go by an index of their own.
SELECT t.workspace_id, t.id, t.bot_id, t.status, t.title, t.metadata, t.variables, t.created_at, t.endpoint_id, t.conversation_id, t.end_user_id, t.expires_at, t.trial,
       ARRAY(SELECT m.created_at FROM messages m WHERE m.workspace_id = t.workspace_id AND m.thread_id = t.id
              ORDER BY m.seq DESC LIMIT 1)::timestamptz[] AS last_message_at, -- of a thread without messages it is empty
       c.turn_id AS current_turn_id
  FROM threads t
  LEFT JOIN messages c ON c.workspace_id = t.workspace_id AND c.thread_id = t.id AND c.role = 'user' AND c.seq = app.current_seq(t.path, t.last_seq)
 WHERE t.workspace_id = @workspace_id AND t.deleted_at IS NULL AND t.trial
   AND (sqlc.narg('bot_id')::uuid IS NULL OR t.bot_id = sqlc.narg('bot_id')::uuid)
   AND (sqlc.narg('status')::text IS NULL OR t.status = sqlc.narg('status')::text)
   AND (sqlc.narg('before_at')::timestamptz IS NULL
        OR (t.created_at, t.id) < (sqlc.narg('before_at')::timestamptz, sqlc.narg('before_id')::uuid))
 ORDER BY t.created_at DESC, t.id DESC
 LIMIT @count;

-- name: ListThreadsOfBot :many
-- A query of its own, for its own index: a bot may have few of a workspace's many threads.
SELECT t.workspace_id, t.id, t.bot_id, t.status, t.title, t.metadata, t.variables, t.created_at, t.endpoint_id, t.conversation_id, t.end_user_id, t.expires_at, t.trial,
       ARRAY(SELECT m.created_at FROM messages m WHERE m.workspace_id = t.workspace_id AND m.thread_id = t.id
              ORDER BY m.seq DESC LIMIT 1)::timestamptz[] AS last_message_at, -- of a thread without messages it is empty
       c.turn_id AS current_turn_id
  FROM threads t
  LEFT JOIN messages c ON c.workspace_id = t.workspace_id AND c.thread_id = t.id AND c.role = 'user' AND c.seq = app.current_seq(t.path, t.last_seq)
 WHERE t.workspace_id = @workspace_id AND t.bot_id = @bot_id::uuid AND t.deleted_at IS NULL AND t.expires_at IS NULL
   AND (sqlc.narg('status')::text IS NULL OR t.status = sqlc.narg('status')::text)
   AND (sqlc.narg('before_at')::timestamptz IS NULL
        OR (t.created_at, t.id) < (sqlc.narg('before_at')::timestamptz, sqlc.narg('before_id')::uuid))
 ORDER BY t.created_at DESC, t.id DESC
 LIMIT @count;

-- name: ListThreadsOfOwner :many
-- For an end user, or an API key with the role chat: the threads that it owns, of all bots or of one.
SELECT t.workspace_id, t.id, t.bot_id, t.status, t.title, t.metadata, t.variables, t.created_at, t.endpoint_id, t.conversation_id, t.end_user_id, t.expires_at, t.trial,
       ARRAY(SELECT m.created_at FROM messages m WHERE m.workspace_id = t.workspace_id AND m.thread_id = t.id
              ORDER BY m.seq DESC LIMIT 1)::timestamptz[] AS last_message_at, -- of a thread without messages it is empty
       c.turn_id AS current_turn_id
  FROM threads t
  LEFT JOIN messages c ON c.workspace_id = t.workspace_id AND c.thread_id = t.id AND c.role = 'user' AND c.seq = app.current_seq(t.path, t.last_seq)
 WHERE t.workspace_id = @workspace_id AND t.owner_id = @owner_id::uuid AND t.deleted_at IS NULL AND t.expires_at IS NULL
   AND (sqlc.narg('bot_id')::uuid IS NULL OR t.bot_id = sqlc.narg('bot_id')::uuid)
   AND (sqlc.narg('status')::text IS NULL OR t.status = sqlc.narg('status')::text)
   AND (sqlc.narg('before_at')::timestamptz IS NULL
        OR (t.created_at, t.id) < (sqlc.narg('before_at')::timestamptz, sqlc.narg('before_id')::uuid))
 ORDER BY t.created_at DESC, t.id DESC
 LIMIT @count;

-- name: ListThreadsOfEndpoint :many
-- The threads of an endpoint that messages come in at.
SELECT t.workspace_id, t.id, t.bot_id, t.status, t.title, t.metadata, t.variables, t.created_at, t.endpoint_id, t.conversation_id, t.end_user_id, t.expires_at, t.trial,
       ARRAY(SELECT m.created_at FROM messages m WHERE m.workspace_id = t.workspace_id AND m.thread_id = t.id
              ORDER BY m.seq DESC LIMIT 1)::timestamptz[] AS last_message_at, -- of a thread without messages it is empty
       c.turn_id AS current_turn_id
  FROM threads t
  LEFT JOIN messages c ON c.workspace_id = t.workspace_id AND c.thread_id = t.id AND c.role = 'user' AND c.seq = app.current_seq(t.path, t.last_seq)
 WHERE t.workspace_id = @workspace_id AND t.endpoint_id = @endpoint_id::uuid AND t.deleted_at IS NULL AND t.expires_at IS NULL
   AND (sqlc.narg('owner_id')::uuid IS NULL OR t.owner_id = sqlc.narg('owner_id')::uuid)
   AND (sqlc.narg('bot_id')::uuid IS NULL OR t.bot_id = sqlc.narg('bot_id')::uuid)
   AND (sqlc.narg('status')::text IS NULL OR t.status = sqlc.narg('status')::text)
   AND (sqlc.narg('before_at')::timestamptz IS NULL
        OR (t.created_at, t.id) < (sqlc.narg('before_at')::timestamptz, sqlc.narg('before_id')::uuid))
 ORDER BY t.created_at DESC, t.id DESC
 LIMIT @count;

-- name: ListRatedThreads :many
-- The threads with an answer that somebody has rated so, by their ids, which begin with the time.
SELECT t.workspace_id, t.id, t.bot_id, t.status, t.title, t.metadata, t.variables, t.created_at, t.endpoint_id, t.conversation_id, t.end_user_id, t.expires_at, t.trial,
       ARRAY(SELECT m.created_at FROM messages m WHERE m.workspace_id = t.workspace_id AND m.thread_id = t.id
              ORDER BY m.seq DESC LIMIT 1)::timestamptz[] AS last_message_at, -- of a thread without messages it is empty
       c.turn_id AS current_turn_id
  FROM (SELECT DISTINCT f.thread_id FROM message_feedback f
         WHERE f.workspace_id = @workspace_id AND f.rating = @rating::text
           AND (sqlc.narg('before_id')::uuid IS NULL OR f.thread_id < sqlc.narg('before_id')::uuid)) r
  JOIN threads t ON t.workspace_id = @workspace_id AND t.id = r.thread_id
  LEFT JOIN messages c ON c.workspace_id = t.workspace_id AND c.thread_id = t.id AND c.role = 'user' AND c.seq = app.current_seq(t.path, t.last_seq)
 WHERE t.deleted_at IS NULL AND t.trial = @trial::boolean AND (t.trial OR t.expires_at IS NULL)
   AND (sqlc.narg('owner_id')::uuid IS NULL OR t.owner_id = sqlc.narg('owner_id')::uuid)
   AND (sqlc.narg('endpoint_id')::uuid IS NULL OR t.endpoint_id = sqlc.narg('endpoint_id')::uuid)
   AND (sqlc.narg('bot_id')::uuid IS NULL OR t.bot_id = sqlc.narg('bot_id')::uuid)
   AND (sqlc.narg('status')::text IS NULL OR t.status = sqlc.narg('status')::text)
 ORDER BY r.thread_id DESC
 LIMIT @count;

-- name: ListMessages :many
-- What the user thinks of them is read once for the page, not once a message. Contents have at most max_bytes together, and
-- those of the last two messages more: what does not fit is not read, as its length is known without it. Only messages of a branch: all
-- of the thread, those up to a turn, or those of the current branch. A CASE says so: of an OR the planner expects so few messages that it
-- would sort the whole thread.
WITH branch AS MATERIALIZED ( -- no row: there is no such thread; NULL: all messages
    SELECT CASE WHEN @everything::boolean THEN NULL
                WHEN sqlc.narg('branch')::uuid IS NULL THEN t.path
                ELSE coalesce((SELECT app.path_to(l.path, l.user_seq) FROM llm_turns l
                                WHERE l.workspace_id = @workspace_id AND l.id = sqlc.narg('branch')::uuid AND l.thread_id = t.id), '{}') END AS path
      FROM threads t WHERE t.workspace_id = @workspace_id AND t.id = @thread_id AND t.deleted_at IS NULL
), mine AS MATERIALIZED (
    SELECT f.seq, f.rating, f.comment, f.updated_at FROM message_feedback f
     WHERE f.workspace_id = @workspace_id AND f.thread_id = @thread_id AND f.user_id = @user_id AND f.seq > @after
     ORDER BY f.seq
     LIMIT @count
)
SELECT m.id, m.thread_id, m.turn_id, m.seq, m.role, m.content, m.operation_id, m.created_at, m.status, m.citations, m.structured,
       CASE WHEN m.attached THEN app.attachments_of(@workspace_id, m.turn_id) END AS attachments,
       mine.rating, mine.comment, mine.updated_at AS rated_at
  FROM (SELECT n.id, n.thread_id, n.turn_id, n.seq, n.role, n.content, n.operation_id, n.created_at, n.status, n.citations, n.structured, n.attached,
               sum(octet_length(n.content) + coalesce(octet_length(n.citations::text), 0)) OVER (ORDER BY n.seq ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) AS bytes_before
          FROM (SELECT p.id, p.thread_id, p.turn_id, p.seq, p.role, p.content, p.operation_id, p.created_at, p.status, p.citations, p.structured, p.attached FROM messages p
                 WHERE p.workspace_id = @workspace_id AND p.thread_id = @thread_id AND p.seq > @after AND p.erased_at IS NULL
                   AND CASE WHEN (SELECT branch.path FROM branch) IS NULL THEN true ELSE p.seq <@ (SELECT branch.path FROM branch) END
                 ORDER BY p.seq
                 LIMIT @count) n) m
  LEFT JOIN mine ON mine.seq = m.seq
 WHERE coalesce(m.bytes_before, 0) <= @max_bytes::bigint
   AND EXISTS (SELECT FROM branch)
 ORDER BY m.seq;

-- name: ListMessagesBackwards :many
WITH branch AS MATERIALIZED ( -- no row: there is no such thread; NULL: all messages
    SELECT CASE WHEN @everything::boolean THEN NULL
                WHEN sqlc.narg('branch')::uuid IS NULL THEN t.path
                ELSE coalesce((SELECT app.path_to(l.path, l.user_seq) FROM llm_turns l
                                WHERE l.workspace_id = @workspace_id AND l.id = sqlc.narg('branch')::uuid AND l.thread_id = t.id), '{}') END AS path
      FROM threads t WHERE t.workspace_id = @workspace_id AND t.id = @thread_id AND t.deleted_at IS NULL
), mine AS MATERIALIZED (
    SELECT f.seq, f.rating, f.comment, f.updated_at FROM message_feedback f
     WHERE f.workspace_id = @workspace_id AND f.thread_id = @thread_id AND f.user_id = @user_id AND f.seq < @before
     ORDER BY f.seq DESC
     LIMIT @count
)
SELECT m.id, m.thread_id, m.turn_id, m.seq, m.role, m.content, m.operation_id, m.created_at, m.status, m.citations, m.structured,
       CASE WHEN m.attached THEN app.attachments_of(@workspace_id, m.turn_id) END AS attachments,
       mine.rating, mine.comment, mine.updated_at AS rated_at
  FROM (SELECT n.id, n.thread_id, n.turn_id, n.seq, n.role, n.content, n.operation_id, n.created_at, n.status, n.citations, n.structured, n.attached,
               sum(octet_length(n.content) + coalesce(octet_length(n.citations::text), 0)) OVER (ORDER BY n.seq DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) AS bytes_before
          FROM (SELECT p.id, p.thread_id, p.turn_id, p.seq, p.role, p.content, p.operation_id, p.created_at, p.status, p.citations, p.structured, p.attached FROM messages p
                 WHERE p.workspace_id = @workspace_id AND p.thread_id = @thread_id AND p.seq < @before AND p.erased_at IS NULL
                   AND CASE WHEN (SELECT branch.path FROM branch) IS NULL THEN true ELSE p.seq <@ (SELECT branch.path FROM branch) END
                 ORDER BY p.seq DESC
                 LIMIT @count) n) m
  LEFT JOIN mine ON mine.seq = m.seq
 WHERE coalesce(m.bytes_before, 0) <= @max_bytes::bigint
   AND EXISTS (SELECT FROM branch)
 ORDER BY m.seq DESC;

-- name: OpenChannelThread :one
-- The thread of a conversation of the outside, ready for its next message.
SELECT app.channel_thread(@workspace_id::uuid, @endpoint_id::uuid, @conversation_id::text, @id::uuid, @created_at::timestamptz)::uuid AS id;
