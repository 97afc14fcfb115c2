-- Turns as they are read, what streamed ones say, and the cancelling of those that run.

-- name: GetTurn :one
SELECT t.id, t.thread_id, t.actor_id, t.operation_id, t.bot_id, t.bot_version, t.provider, t.model, CASE WHEN t.waiting THEN 'waiting' ELSE t.status END::text AS status, t.user_seq, t.attempt,
       t.input_tokens, t.output_tokens, t.cached_tokens, t.cost_micros, t.usage_estimated, t.latency_ms, t.first_token_ms, t.finish_reason, t.error_code, t.error_message, t.error_details, t.cancel_operation,
       t.created_at, t.finished_at, parent.turn_id AS parent_id, u.id AS user_id, u.content AS user_content, u.created_at AS user_created_at,
       coalesce(CASE WHEN u.attached THEN app.attachments_of(t.workspace_id, t.id) END, 'null')::jsonb AS user_attachments,
       a.id AS answer_id, a.content AS answer_content, a.status AS answer_status, a.created_at AS answer_created_at, a.citations AS answer_citations, coalesce(a.structured, false) AS answer_structured, t.variables
  FROM llm_turns t
  JOIN messages u ON u.workspace_id = t.workspace_id AND u.turn_id = t.id AND u.role = 'user'
  LEFT JOIN messages a ON a.workspace_id = t.workspace_id AND a.turn_id = t.id AND a.role = 'assistant'
  LEFT JOIN messages parent ON parent.workspace_id = t.workspace_id AND parent.thread_id = t.thread_id AND parent.role = 'user'
                           AND parent.seq = app.parent_seq(t.path, t.user_seq)
 WHERE t.workspace_id = @workspace_id AND t.thread_id = @thread_id AND t.id = @turn_id
   AND EXISTS (SELECT FROM threads th WHERE th.workspace_id = @workspace_id AND th.id = @thread_id AND th.deleted_at IS NULL);

-- name: ListTurns :many
-- By the key of the messages, so that turns need no index more. Without what was said, but for the partial answers of turns
-- that were cancelled: they are bounded by bytes as ListMessages is. Its branches are those of ListMessages.
WITH branch AS MATERIALIZED (
    SELECT CASE WHEN @everything::boolean THEN NULL
                WHEN sqlc.narg('branch')::uuid IS NULL THEN th.path
                ELSE coalesce((SELECT app.path_to(l.path, l.user_seq) FROM llm_turns l
                                WHERE l.workspace_id = @workspace_id AND l.id = sqlc.narg('branch')::uuid AND l.thread_id = th.id), '{}') END AS path
      FROM threads th WHERE th.workspace_id = @workspace_id AND th.id = @thread_id AND th.deleted_at IS NULL
)
SELECT t.id, t.thread_id, t.actor_id, t.operation_id, t.bot_id, t.bot_version, t.provider, t.model, CASE WHEN t.waiting THEN 'waiting' ELSE t.status END::text AS status, t.user_seq, t.attempt,
       t.input_tokens, t.output_tokens, t.cached_tokens, t.cost_micros, t.usage_estimated, t.latency_ms, t.first_token_ms, t.finish_reason, t.error_code, t.error_message, t.error_details, t.cancel_operation,
       t.created_at, t.finished_at, parent.turn_id AS parent_id, u.id AS user_id, ''::text AS user_content, u.created_at AS user_created_at, 'null'::jsonb AS user_attachments,
       a.id AS answer_id, partial.content AS answer_content, a.status AS answer_status, a.created_at AS answer_created_at, NULL::jsonb AS answer_citations, false AS answer_structured, t.variables
  FROM (SELECT n.workspace_id, n.id, n.turn_id, n.seq, n.created_at,
               sum(n.bytes) OVER (ORDER BY n.seq DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) AS bytes_before
          FROM (SELECT p.workspace_id, p.id, p.turn_id, p.seq, p.created_at, coalesce((
                       SELECT octet_length(q.content) FROM messages q
                        WHERE q.workspace_id = p.workspace_id AND q.turn_id = p.turn_id AND q.role = 'assistant' AND q.status = 'cancelled'), 0) AS bytes
                  FROM messages p
                 WHERE p.workspace_id = @workspace_id AND p.thread_id = @thread_id AND p.seq < @before
                   AND CASE WHEN p.role <> 'user' THEN false WHEN (SELECT branch.path FROM branch) IS NULL THEN true ELSE p.seq <@ (SELECT branch.path FROM branch) END
                 ORDER BY p.seq DESC
                 LIMIT @count) n) u
  JOIN llm_turns t ON t.workspace_id = u.workspace_id AND t.id = u.turn_id
  LEFT JOIN messages a ON a.workspace_id = t.workspace_id AND a.turn_id = t.id AND a.role = 'assistant'
  LEFT JOIN messages parent ON parent.workspace_id = t.workspace_id AND parent.thread_id = t.thread_id AND parent.role = 'user'
                           AND parent.seq = app.parent_seq(t.path, t.user_seq)
  LEFT JOIN messages partial ON partial.workspace_id = a.workspace_id AND partial.id = a.id AND partial.status = 'cancelled'
 WHERE coalesce(u.bytes_before, 0) <= @max_bytes::bigint
   AND EXISTS (SELECT FROM branch)
 ORDER BY u.seq DESC;

-- name: FindTurnOfOperation :one
SELECT id FROM llm_turns WHERE workspace_id = @workspace_id AND actor_id = @actor_id AND operation_id = @operation_id;

-- name: HasAnswer :one
-- Whether an operation has its answer.
SELECT EXISTS (SELECT 1 FROM operations o
                WHERE o.workspace_id = @workspace_id AND o.actor_id = @caller_id AND o.id = @operation_id AND o.finished_at IS NOT NULL)::boolean;

-- name: AppendTurnEvents :exec
-- Keeps pieces of what an attempt says and tells the processes that follow the turn. Of an attempt that does not run any more
-- nothing is kept: its message may be erased.
WITH running AS (
    SELECT t.id FROM llm_turns t WHERE t.workspace_id = @workspace_id AND t.id = @turn_id AND t.attempt = @attempt AND t.status = 'running' FOR KEY SHARE
), kept AS (
    INSERT INTO turn_events (workspace_id, turn_id, attempt, first, pieces)
    SELECT @workspace_id, running.id, @attempt, @first, @pieces::text[] FROM running
        ON CONFLICT (workspace_id, turn_id, attempt, first) DO UPDATE SET pieces = excluded.pieces -- a batch whose commit was in doubt
 RETURNING turn_id
)
SELECT pg_notify('parley_turns', kept.turn_id::text) FROM kept;

-- name: TellOfTurn :exec
SELECT pg_notify('parley_turns', @turn_id::text);

-- name: ListTurnEvents :many
SELECT first, pieces FROM turn_events
 WHERE workspace_id = @workspace_id AND turn_id = @turn_id AND attempt = @attempt AND first + cardinality(pieces) > @after::integer
 ORDER BY first;

-- name: WasStreamed :one
SELECT EXISTS (SELECT 1 FROM turn_events WHERE workspace_id = @workspace_id AND turn_id = @turn_id)::boolean;

-- name: RequestCancel :one
-- Marks the attempt that runs and tells its process; the operation that did so first has cancelled it.
WITH marked AS (
    UPDATE llm_turns t SET cancel_attempt = t.attempt, cancel_operation = @operation_id
     WHERE t.workspace_id = @workspace_id AND t.id = @turn_id AND t.status = 'running' AND t.cancel_attempt IS DISTINCT FROM t.attempt
 RETURNING t.id, t.attempt
)
SELECT count(pg_notify('parley_cancels', marked.id::text || '/' || marked.attempt::text))::integer AS marked FROM marked;

-- name: GetCancelRequest :one
SELECT (status = 'running' AND cancel_attempt IS NOT DISTINCT FROM attempt)::boolean AS wanted
  FROM llm_turns WHERE workspace_id = @workspace_id AND id = @turn_id AND attempt = @attempt;

-- name: MarkTurnRead :exec
-- The running turn of an operation has a reader for some seconds.
UPDATE llm_turns SET read_until = now() + make_interval(secs => @seconds::float8)
 WHERE workspace_id = @workspace_id AND actor_id = @actor_id AND operation_id = @operation_id AND status = 'running';

-- name: GetTurnReader :one
-- The running turn of an operation, and whether somebody reads it.
SELECT thread_id, id, coalesce(read_until > now(), false)::boolean AS is_read FROM llm_turns
 WHERE workspace_id = @workspace_id AND actor_id = @actor_id AND operation_id = @operation_id AND status = 'running';

-- name: GetTurnAttendance :one
-- The running turn of an operation in a thread that expires and is no trial: whether somebody reads it, and for how many seconds nobody has.
SELECT t.thread_id, t.id, coalesce(t.read_until > now(), false)::boolean AS is_read,
       extract(epoch FROM now() - coalesce(t.read_until, t.created_at))::double precision AS unread_seconds
  FROM llm_turns t
  JOIN threads th ON th.workspace_id = t.workspace_id AND th.id = t.thread_id
 WHERE t.workspace_id = @workspace_id AND t.actor_id = @actor_id AND t.operation_id = @operation_id AND t.status = 'running' AND th.expires_at IS NOT NULL AND NOT th.trial;

-- name: GetCanceller :one
-- The cancelled turn of an operation, and the operation that has cancelled it.
SELECT id, cancel_operation FROM llm_turns
 WHERE workspace_id = @workspace_id AND actor_id = @actor_id AND operation_id = @operation_id AND status = 'cancelled';

-- name: CreateCancelledMessage :exec
INSERT INTO messages (workspace_id, id, thread_id, turn_id, seq, role, content, operation_id, created_at, status, citations)
VALUES (@workspace_id, @id, @thread_id, @turn_id, @seq, 'assistant', @content, @operation_id, @created_at, 'cancelled', sqlc.narg('citations')::jsonb);

-- name: ExpireTurnEvents :one
SELECT app.expire_turn_events(@most::integer)::integer;
