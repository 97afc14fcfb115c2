-- Calls of tools that turns make.

-- name: AddToolStep :exec
-- Stores the calls of a step of a running attempt, and counts what the model has used for it. Raises PY404 unless this very attempt runs.
-- The tools are those that the turn may call, which stay as they are from its first step on.
WITH turn AS (
    UPDATE llm_turns t
       SET tool_steps = t.tool_steps + 1, tools = coalesce(t.tools, sqlc.narg('tools')::jsonb), reserved_micros = NULL, lease_until = @lease_until,
           spent = jsonb_build_object(
               'input', coalesce((t.spent ->> 'input')::bigint, 0) + coalesce(sqlc.narg('input_tokens')::bigint, 0),
               'output', coalesce((t.spent ->> 'output')::bigint, 0) + coalesce(sqlc.narg('output_tokens')::bigint, 0),
               'cached', coalesce((t.spent ->> 'cached')::bigint, 0) + coalesce(sqlc.narg('cached_tokens')::bigint, 0),
               'cost', coalesce((t.spent ->> 'cost')::bigint, 0) + coalesce(sqlc.narg('cost_micros')::bigint, 0))
     WHERE t.workspace_id = @workspace_id AND t.id = @turn_id AND t.attempt = @attempt AND t.status = 'running' AND NOT t.waiting
 RETURNING t.actor_id, t.bot_id, t.thread_id, t.trial, coalesce(sqlc.narg('provider'), t.provider) AS provider, coalesce(sqlc.narg('model'), t.model) AS model,
           coalesce(sqlc.narg('input_tokens')::bigint, 0) AS input_tokens, coalesce(sqlc.narg('output_tokens')::bigint, 0) AS output_tokens,
           coalesce(sqlc.narg('cost_micros')::bigint, 0) AS cost_micros, coalesce(sqlc.narg('charged_micros')::bigint, 0) AS charged_micros
), stored AS (
    INSERT INTO tool_calls (workspace_id, id, turn_id, thread_id, step, place, said, model_id, name, tool_id, tool_version, kind, effect, repeatable,
                            arguments, status, result, attempt, expires_at, created_at, started_at, finished_at)
    SELECT @workspace_id, c.id, @turn_id, turn.thread_id, c.step, c.place, c.said, c.model_id, c.name, c.tool_id, c.tool_version, c.kind, c.effect, c.repeatable,
           c.arguments, c.status, c.result, c.attempt, c.expires_at, @moment::timestamptz, c.started_at, c.finished_at
      FROM turn, jsonb_to_recordset(@calls::jsonb) AS c(id uuid, step smallint, place smallint, said text, model_id text, name text, tool_id uuid,
           tool_version integer, kind text, effect text, repeatable boolean, arguments jsonb, status text, result text, attempt integer,
           expires_at timestamptz, started_at timestamptz, finished_at timestamptz)
), counted AS ( -- for analytics: what it has used, but no turn
    INSERT INTO analytics_outbox (workspace_id, kind, count, messages, at, bot_id, provider, model, input_tokens, output_tokens, cost_micros)
    SELECT @workspace_id, 'failed', 0, 0, @moment, t.bot_id, t.provider, t.model, t.input_tokens, t.output_tokens, t.cost_micros FROM turn t WHERE NOT t.trial
), used AS (
    SELECT app.use(@workspace_id, @moment::timestamptz, jsonb_build_object('messages', 0, 'tokens', t.input_tokens + t.output_tokens, 'cost_micros', t.charged_micros),
                   @limits::jsonb, false)
      FROM turn t
     WHERE t.input_tokens + t.output_tokens > 0 OR t.charged_micros > 0
), by_key AS ( -- towards the limits of the key that began the turn
    SELECT app.use_for_caller(k.workspace_id, k.id, k.limits, t.input_tokens + t.output_tokens, t.charged_micros, @moment::timestamptz)
      FROM turn t, api_keys k
     WHERE k.workspace_id = @workspace_id AND k.id = t.actor_id AND k.limits IS NOT NULL
)
SELECT app.require(EXISTS (SELECT 1 FROM turn), 'turn'), (SELECT count(*) FROM used), (SELECT count(*) FROM by_key);

-- name: StartToolCalls :exec
-- Marks calls as sent by a running attempt. Raises PY404 unless this very attempt runs.
WITH turn AS (
    SELECT t.id FROM llm_turns t
     WHERE t.workspace_id = @workspace_id AND t.id = @turn_id AND t.attempt = @attempt AND t.status = 'running' AND NOT t.waiting FOR KEY SHARE
), started AS (
    UPDATE tool_calls c SET status = 'running', attempt = c.attempt + 1, started_at = @moment::timestamptz
      FROM turn
     WHERE c.workspace_id = @workspace_id AND c.turn_id = turn.id AND c.id = ANY (@ids::uuid[]) AND c.finished_at IS NULL
)
SELECT app.require(EXISTS (SELECT 1 FROM turn), 'turn');

-- name: FinishToolCall :exec
-- Stores what came of a call, unless that is known. Raises PY404 unless this very attempt of the turn runs.
WITH turn AS (
    SELECT t.id FROM llm_turns t
     WHERE t.workspace_id = @workspace_id AND t.id = @turn_id AND t.attempt = @attempt AND t.status = 'running' AND NOT t.waiting FOR KEY SHARE
), finished AS (
    UPDATE tool_calls c SET status = @status, result = @result, finished_at = @moment::timestamptz
      FROM turn
     WHERE c.workspace_id = @workspace_id AND c.turn_id = turn.id AND c.id = @id AND c.finished_at IS NULL
)
SELECT app.require(EXISTS (SELECT 1 FROM turn), 'turn');

-- name: LockTurn :exec
SELECT 1 FROM llm_turns WHERE workspace_id = @workspace_id AND id = @turn_id FOR NO KEY UPDATE;

-- name: WaitTurn :exec
-- Lets an attempt end whose turn waits for its calls. Where the last of them was decided meanwhile, another attempt begins at once. Its row
-- must be locked before, so that a decision is either seen here or finds the turn waiting.
WITH open AS (
    SELECT min(c.expires_at) AS until FROM tool_calls c WHERE c.workspace_id = @workspace_id AND c.turn_id = @turn_id AND c.status = 'waiting'
), turn AS (
    UPDATE llm_turns t
       SET waiting = open.until IS NOT NULL, waits = t.waits + 1, process_id = NULL, lease_until = coalesce(open.until, now() - interval '1 ms')
      FROM open
     WHERE t.workspace_id = @workspace_id AND t.id = @turn_id AND t.attempt = @attempt AND t.status = 'running' AND NOT t.waiting
 RETURNING t.waiting
)
SELECT app.require(EXISTS (SELECT 1 FROM turn), 'turn'), (SELECT count(pg_notify('parley_recovery', '')) FROM turn WHERE NOT waiting);

-- name: LockTurnOfToolCall :one
-- The turn of a call; no row where there is no such call.
SELECT t.id FROM llm_turns t JOIN tool_calls c ON c.workspace_id = t.workspace_id AND c.turn_id = t.id
 WHERE c.workspace_id = @workspace_id AND c.id = @id
   FOR NO KEY UPDATE OF t;

-- name: DecideToolCall :one
-- Settles a call that waits, or one whose outcome is unknown; no row where it has another status, or has expired. The turn goes on when none
-- of its calls waits any more.
WITH decided AS (
    UPDATE tool_calls c
       SET status = @status, decided_by = sqlc.narg('decided_by')::uuid, decided_at = @moment::timestamptz, reason = sqlc.narg('reason'), result = sqlc.narg('result'),
           arguments = coalesce(sqlc.narg('arguments')::jsonb, c.arguments),
           finished_at = CASE WHEN @status IN ('approved') THEN NULL ELSE @moment::timestamptz END
     WHERE c.workspace_id = @workspace_id AND c.id = @id AND c.status = @current AND (c.status = 'unknown' OR c.expires_at > @moment::timestamptz)
 RETURNING c.turn_id
), turn AS (
    UPDATE llm_turns t SET lease_until = now() - interval '1 ms'
      FROM decided
     WHERE t.workspace_id = @workspace_id AND t.id = decided.turn_id AND t.waiting AND t.status = 'running'
       AND NOT EXISTS (SELECT FROM tool_calls o WHERE o.workspace_id = @workspace_id AND o.turn_id = decided.turn_id AND o.status = 'waiting' AND o.id <> @id)
 RETURNING t.id
)
SELECT decided.turn_id, (SELECT count(pg_notify('parley_recovery', '')) FROM turn)::integer AS told FROM decided;

-- name: ExpireToolCalls :exec
-- Settles the calls of a turn that nobody has decided in time.
UPDATE tool_calls SET status = 'expired', finished_at = @moment::timestamptz
 WHERE workspace_id = @workspace_id AND turn_id = @turn_id AND status = 'waiting' AND expires_at <= @moment::timestamptz;

-- name: ToolCallsOfTurn :many
SELECT * FROM tool_calls WHERE workspace_id = @workspace_id AND turn_id = @turn_id ORDER BY step, place;

-- name: GetToolCall :one
SELECT sqlc.embed(c), t.bot_id FROM tool_calls c JOIN llm_turns t ON t.workspace_id = c.workspace_id AND t.id = c.turn_id
 WHERE c.workspace_id = @workspace_id AND c.id = @id;

-- name: ListToolCalls :many
-- The newest first.
SELECT sqlc.embed(c), t.bot_id FROM tool_calls c JOIN llm_turns t ON t.workspace_id = c.workspace_id AND t.id = c.turn_id
 WHERE c.workspace_id = @workspace_id
   AND (sqlc.narg('status')::text IS NULL OR c.status = sqlc.narg('status'))
   AND (sqlc.narg('turn_id')::uuid IS NULL OR c.turn_id = sqlc.narg('turn_id'))
   AND (sqlc.narg('before')::uuid IS NULL OR c.id < sqlc.narg('before'))
 ORDER BY c.id DESC LIMIT @most;
