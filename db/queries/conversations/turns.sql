-- name: StartTurn :one
-- Opens a turn in one statement: numbers the two messages, pins the bot's live version or the one that is named, stores the user message.
-- Raises PY404 when there is no such thread, PY409 when it or its bot is archived or the bot has no variable of a name, 23505 on llm_turns_one_running when a
-- turn runs in it already, PYLIM when a limit is reached: of tokens one turn may pass it, for what it takes is known at its end;
-- what it may cost is reserved when its model is known (ReserveCost). The turn follows the last one of the current branch or, as a fork,
-- the one that is named or none: raises PY409 with 'parent' where the thread has no such turn, and with 'branches' where its path would
-- have too many pieces. A fork leads to the current branch from now on.
WITH parent AS (
    SELECT app.path_to(p.path, p.user_seq) AS path FROM llm_turns p
     WHERE sqlc.narg('parent')::uuid IS NOT NULL AND p.workspace_id = @workspace_id AND p.id = sqlc.narg('parent')::uuid AND p.thread_id = @thread_id
), thread AS (
    UPDATE threads t
       SET last_seq = t.last_seq + 2,
           path = CASE WHEN @fork::boolean
                       THEN nullif(coalesce((SELECT parent.path FROM parent), '{}') + int8multirange(int8range(t.last_seq + 1, NULL)), '{[1,)}')
                       ELSE t.path END
     WHERE t.workspace_id = @workspace_id AND t.id = @thread_id AND t.deleted_at IS NULL
 RETURNING t.bot_id, t.last_seq - 1 AS user_seq, t.endpoint_id, t.conversation_id, t.status, t.trial, t.variables || coalesce(sqlc.narg('variables')::jsonb, '{}') AS variables,
           t.path * int8multirange(int8range(1, t.last_seq - 1)) AS path
), pinned AS ( -- with the model that is to answer, as domain.Choose names it: provider/name
    SELECT thread.bot_id, thread.user_seq, thread.endpoint_id, thread.conversation_id, thread.path, thread.trial, nullif(thread.variables, '{}')::jsonb AS variables,
           coalesce(named.version, live.version) AS version, coalesce(named.instruction, live.instruction) AS instruction,
           coalesce(named.settings, live.settings) AS settings,
           CASE WHEN thread.status = 'archived' THEN 'thread' WHEN live.status = 'archived' THEN 'bot'
                WHEN sqlc.narg('parent')::uuid IS NOT NULL AND NOT EXISTS (SELECT FROM parent) THEN 'parent'
                WHEN @fork::boolean AND (SELECT count(*) FROM unnest(thread.path)) > @max_pieces::integer THEN 'branches'
                ELSE (SELECT 'variable ' || min(given) FROM jsonb_object_keys(sqlc.narg('variables')::jsonb) given -- the first that is not declared
                       WHERE coalesce(named.settings, live.settings, '{}') @> jsonb_build_object('variables', jsonb_build_array(jsonb_build_object('name', given))) IS FALSE) END AS refused,
           ms.default_model, ms.fallbacks,
           coalesce(nullif(coalesce(named.settings, live.settings) ->> 'model', ''), nullif(ms.default_model, ''), @last_model::text) AS model
      FROM thread
      LEFT JOIN app.live_versions live ON live.workspace_id = @workspace_id AND live.bot_id = thread.bot_id
      LEFT JOIN app.versions named ON sqlc.narg('version')::integer IS NOT NULL AND named.workspace_id = @workspace_id
                                  AND named.bot_id = thread.bot_id AND named.version = sqlc.narg('version')::integer
      LEFT JOIN model_settings ms ON ms.workspace_id = @workspace_id
), asked AS (
    SELECT CASE WHEN strpos(pinned.model, '/') > 0 THEN split_part(pinned.model, '/', 1)
                WHEN pinned.model = 'echo' THEN 'echo' ELSE 'unknown' END AS provider,
           CASE WHEN strpos(pinned.model, '/') > 0 THEN substr(pinned.model, strpos(pinned.model, '/') + 1) ELSE pinned.model END AS model
      FROM pinned
), turn AS (
    INSERT INTO llm_turns (workspace_id, id, thread_id, actor_id, operation_id, bot_id, bot_version, provider, model,
                           status, user_seq, path, trial, lease_until, process_id, created_at, request, variables)
    SELECT @workspace_id, @turn_id, @thread_id, @actor_id, @operation_id, pinned.bot_id, pinned.version, asked.provider, asked.model,
           'running', pinned.user_seq, pinned.path, pinned.trial, @lease_until, sqlc.narg('process_id')::uuid, @created_at, sqlc.narg('request')::jsonb, pinned.variables
      FROM pinned, asked
), message AS (
    INSERT INTO messages (workspace_id, id, thread_id, turn_id, seq, role, content, operation_id, created_at, attached)
    SELECT @workspace_id, @message_id, @thread_id, @turn_id, pinned.user_seq, 'user', @content, @operation_id, @created_at, @attached::boolean
      FROM pinned
)
SELECT app.require(pinned.user_seq IS NOT NULL, 'thread') AS found, app.refuse(pinned.refused) AS refused,
       pinned.bot_id, coalesce(pinned.user_seq, 0)::bigint AS user_seq, coalesce(pinned.path::text, '')::text AS path,
       (SELECT m.turn_id FROM messages m
         WHERE m.workspace_id = @workspace_id AND m.thread_id = @thread_id AND m.role = 'user'
           AND m.seq = app.parent_seq(pinned.path, pinned.user_seq)) AS parent_id, coalesce(pinned.trial, false)::boolean AS trial, pinned.version, pinned.instruction, pinned.settings,
       pinned.endpoint_id, pinned.conversation_id, pinned.default_model, pinned.fallbacks, pinned.variables,
       coalesce(asked.provider, '')::text AS provider, coalesce(asked.model, '')::text AS model,
       app.use(@workspace_id, @created_at, '{"turns": 1, "messages": 1, "tokens": 0, "cost_micros": 0}', @limits::jsonb, true) AS limited
  FROM (SELECT 1) one
  LEFT JOIN pinned ON true
  LEFT JOIN asked ON true;

-- name: FinishTurn :exec
-- Compare and set: raises PY404 unless this very attempt is still running, so that a late writer loses. What an attempt has
-- used more is counted with its end, whatever that is, and never refused. What it cost towards the limit of costs is what it
-- had reserved where that is not known.
WITH turn AS (
    UPDATE llm_turns t
       SET status = @status, finished_at = @finished_at, latency_ms = @latency_ms, error = sqlc.narg('error'),
           input_tokens = CASE WHEN t.spent IS NULL THEN sqlc.narg('input_tokens')::integer ELSE coalesce(sqlc.narg('input_tokens')::integer, 0) + (t.spent ->> 'input')::integer END,
           output_tokens = CASE WHEN t.spent IS NULL THEN sqlc.narg('output_tokens')::integer ELSE coalesce(sqlc.narg('output_tokens')::integer, 0) + (t.spent ->> 'output')::integer END,
           cached_tokens = CASE WHEN t.spent IS NULL THEN sqlc.narg('cached_tokens')::integer ELSE coalesce(sqlc.narg('cached_tokens')::integer, 0) + (t.spent ->> 'cached')::integer END,
           cost_micros = CASE WHEN t.spent IS NULL THEN sqlc.narg('cost_micros')::bigint ELSE coalesce(sqlc.narg('cost_micros')::bigint, 0) + (t.spent ->> 'cost')::bigint END,
           waiting = false, usage_estimated = @usage_estimated::boolean,
           first_token_ms = sqlc.narg('first_token_ms'), finish_reason = sqlc.narg('finish_reason'),
           error_code = sqlc.narg('error_code'), error_message = sqlc.narg('error_message'), error_details = sqlc.narg('error_details')::jsonb,
           request = CASE @status WHEN 'failed' THEN t.request END, -- for its next attempt
           provider = coalesce(sqlc.narg('provider'), t.provider), model = coalesce(sqlc.narg('model'), t.model)
     WHERE t.workspace_id = @workspace_id AND t.id = @turn_id AND t.attempt = @attempt AND t.status = 'running'
 RETURNING t.*
), counted AS ( -- for analytics
    INSERT INTO analytics_outbox (workspace_id, kind, count, messages, at, bot_id, provider, model, input_tokens, output_tokens, cost_micros, latency_ms)
    SELECT t.workspace_id, t.status, 1, CASE WHEN @answered::boolean THEN 2 ELSE 1 END, t.finished_at, t.bot_id, t.provider, t.model,
           coalesce(sqlc.narg('input_tokens')::integer, 0), coalesce(sqlc.narg('output_tokens')::integer, 0), coalesce(sqlc.narg('cost_micros')::bigint, 0), CASE t.status WHEN 'completed' THEN t.latency_ms END
      FROM turn t WHERE NOT t.trial
), spent AS ( -- by its last step: the others are counted
    SELECT t.finished_at, coalesce(sqlc.narg('input_tokens')::integer, 0)::bigint + coalesce(sqlc.narg('output_tokens')::integer, 0) AS tokens,
           coalesce(sqlc.narg('charged_micros')::bigint, t.reserved_micros, 0) AS micros
      FROM turn t
), used AS (
    SELECT app.use(@workspace_id, spent.finished_at,
                   jsonb_build_object('messages', CASE WHEN @answered::boolean THEN 1 ELSE 0 END,
                                      'tokens', spent.tokens, 'cost_micros', spent.micros),
                   @limits::jsonb, false)
      FROM spent
     WHERE @answered::boolean OR spent.tokens > 0 OR spent.micros > 0
), by_key AS ( -- towards the limits of the key that began the turn
    SELECT app.use_for_caller(k.workspace_id, k.id, k.limits, spent.tokens, spent.micros, spent.finished_at)
      FROM turn t, spent, api_keys k
     WHERE k.workspace_id = t.workspace_id AND k.id = t.actor_id AND k.limits IS NOT NULL
)
SELECT app.require(EXISTS (SELECT 1 FROM turn), 'turn'), (SELECT count(*) FROM used), (SELECT count(*) FROM by_key);

-- name: CutTurn :exec
-- Gives the lease of an attempt back that was cut short, counts what it has used, and tells who recovers turns. The turn runs on:
-- its next attempt may begin at once. Raises PY404 unless this very attempt is still running.
WITH turn AS (
    UPDATE llm_turns t SET lease_until = now() - interval '1 ms'
     WHERE t.workspace_id = @workspace_id AND t.id = @turn_id AND t.attempt = @attempt AND t.status = 'running'
 RETURNING t.actor_id, t.bot_id, t.trial, coalesce(sqlc.narg('provider'), t.provider) AS provider, coalesce(sqlc.narg('model'), t.model) AS model,
           coalesce(sqlc.narg('input_tokens')::bigint, 0) AS input_tokens, coalesce(sqlc.narg('output_tokens')::bigint, 0) AS output_tokens,
           coalesce(sqlc.narg('cost_micros')::bigint, 0) AS cost_micros, coalesce(sqlc.narg('charged_micros')::bigint, t.reserved_micros, 0) AS charged_micros
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
SELECT app.require(EXISTS (SELECT 1 FROM turn), 'turn'), (SELECT count(*) FROM used), (SELECT count(*) FROM by_key), (SELECT count(pg_notify('parley_recovery', '')) FROM turn);

-- name: CountTurnOfCaller :exec
-- Raises PYRAT where a limit of the caller allows no more turns.
SELECT app.count_for_caller(@workspace_id, @caller_id, 'turns', @limits::jsonb, @moment);

-- name: BeginTurnOfKey :exec
-- Raises PYRAT where a limit of the API key allows no more turns.
SELECT app.begin_turn_of_key(@workspace_id, @key_id, @limits::jsonb, @moment);

-- name: CreateMessage :exec
INSERT INTO messages (workspace_id, id, thread_id, turn_id, seq, role, content, operation_id, created_at, citations, structured)
VALUES (@workspace_id, @id, @thread_id, @turn_id, @seq, @role, @content, @operation_id, @created_at, sqlc.narg('citations')::jsonb, @structured);

-- name: FindRunningTurn :one
SELECT id, waiting FROM llm_turns
 WHERE workspace_id = @workspace_id AND thread_id = @thread_id AND finished_at IS NULL;

-- name: LockThreadOfOperation :exec
-- Keeps other turns from starting in the thread of an operation's turn until the transaction ends.
SELECT 1 FROM threads th
 WHERE th.workspace_id = @workspace_id AND th.id = (
       SELECT t.thread_id FROM llm_turns t
        WHERE t.workspace_id = @workspace_id AND t.actor_id = @actor_id AND t.operation_id = @operation_id)
   FOR NO KEY UPDATE; -- a message that is being stored holds the thread's key

-- name: ResumeTurn :one
-- Takes the next attempt of an operation's turn: after a failure while it is the last turn of the thread's current branch, or when its
-- lease has run out. Raises PY409 for one that has failed when the thread or its bot is archived; what was begun goes on to its end.
WITH before AS (
    SELECT t.*, parent.turn_id AS parent_id, m.id AS message_id, m.content, m.created_at AS asked_at, m.attached, th.endpoint_id, th.conversation_id,
           CASE 'archived' WHEN th.status THEN 'thread'
                           WHEN (SELECT live.status FROM app.live_versions live WHERE live.workspace_id = t.workspace_id AND live.bot_id = t.bot_id) THEN 'bot'
           END AS archived
      FROM llm_turns t
      JOIN threads th ON th.workspace_id = t.workspace_id AND th.id = t.thread_id
      JOIN messages m ON m.workspace_id = t.workspace_id AND m.turn_id = t.id AND m.role = 'user'
      LEFT JOIN messages parent ON parent.workspace_id = t.workspace_id AND parent.thread_id = t.thread_id AND parent.role = 'user'
                               AND parent.seq = app.parent_seq(t.path, t.user_seq)
     WHERE t.workspace_id = @workspace_id AND t.actor_id = @actor_id AND t.operation_id = @operation_id
       AND t.user_seq = app.current_seq(th.path, th.last_seq) AND th.deleted_at IS NULL
       AND (t.status = 'failed' OR (t.status = 'running' AND t.lease_until < now()))
       FOR UPDATE OF t
), resumed AS (
    UPDATE llm_turns t
       SET status = 'running', attempt = t.attempt + 1, lease_until = @lease_until,
           process_id = sqlc.narg('process_id')::uuid, finished_at = NULL, error = NULL, reserved_micros = NULL, waiting = false
      FROM before
     WHERE t.workspace_id = @workspace_id AND t.id = before.id
 RETURNING t.id, t.attempt
), uncounted AS ( -- a turn is counted once, by what became of it in the end: the failure is taken back, but not what it has used
    INSERT INTO analytics_outbox (workspace_id, kind, count, messages, at, bot_id, provider, model)
    SELECT b.workspace_id, b.status, -1, -1, b.finished_at, b.bot_id, b.provider, b.model
      FROM before b WHERE b.status = 'failed' AND NOT b.trial
)
SELECT t.id, t.thread_id, t.bot_id, t.bot_version, t.user_seq, coalesce(t.path::text, '')::text AS path, t.parent_id, t.trial, resumed.attempt, t.provider, t.model,
       t.message_id, t.content, t.asked_at AS created_at, t.attached, t.endpoint_id, t.conversation_id,
       app.refuse(CASE t.status WHEN 'failed' THEN t.archived END) AS refused
  FROM before t JOIN resumed ON resumed.id = t.id;

-- name: ReserveCost :one
-- Reserves what an attempt may cost of the workspace's limit. Raises PYLIM where there is no room, PY404 where it does not run.
SELECT app.reserve_cost(@workspace_id::uuid, @turn_id::uuid, @attempt::integer, @micros::bigint, @moment::timestamptz, @most::bigint)::boolean AS reserved;

-- name: GetTurnState :one
SELECT id, thread_id, CASE WHEN waiting THEN 'waiting' ELSE status END::text AS status FROM llm_turns
 WHERE workspace_id = @workspace_id AND actor_id = @actor_id AND operation_id = @operation_id;

-- name: GetPinnedVersion :one
-- And what answers where that version does not say. Without a bot there is no version.
SELECT v.instruction, v.settings, ms.default_model, ms.fallbacks, t.request, t.tools, t.tool_steps, t.variables
  FROM llm_turns t
  LEFT JOIN app.versions v ON v.workspace_id = t.workspace_id AND v.bot_id = t.bot_id AND v.version = t.bot_version
  LEFT JOIN model_settings ms ON ms.workspace_id = t.workspace_id
 WHERE t.workspace_id = @workspace_id AND t.id = @turn_id;

-- name: AbandonedTurns :many
-- Turns of all workspaces whose lease has run out.
SELECT workspace_id::uuid AS workspace_id, thread_id::uuid AS thread_id, actor_id::uuid AS actor_id,
       operation_id::uuid AS operation_id, attempt::integer AS attempt
  FROM app.abandoned_turns(@most::integer);

-- name: FreeThread :one
-- Gives up the turn of a thread whose lease has run out so many seconds ago, so that another may run.
WITH freed AS (
    UPDATE llm_turns t SET status = 'failed', finished_at = now(), error = @error, error_code = NULL, error_details = NULL
     WHERE t.workspace_id = @workspace_id AND t.thread_id = @thread_id AND t.finished_at IS NULL AND t.lease_until < now() - make_interval(secs => @after_seconds::double precision)
 RETURNING *
), counted AS ( -- for analytics
    INSERT INTO analytics_outbox (workspace_id, kind, count, messages, at, bot_id, provider, model)
    SELECT f.workspace_id, f.status, 1, 1, f.finished_at, f.bot_id, f.provider, f.model FROM freed f WHERE NOT f.trial
)
SELECT t.id, t.operation_id, t.attempt, t.bot_id, t.bot_version, t.provider, t.model, t.trial, th.endpoint_id, th.conversation_id
  FROM freed t
  JOIN threads th ON th.workspace_id = t.workspace_id AND th.id = t.thread_id;

-- name: CountAbandonedTurns :one
-- Counts them up to a number.
SELECT count(*)::integer FROM app.abandoned_turns(@most::integer);

-- name: BeatTurnProcess :one
SELECT known::boolean AS known, turns::integer AS turns FROM app.beat_turn_process(@process_id::uuid, @lease_seconds::double precision);

-- name: GiveBackTurns :one
SELECT app.give_back_turns(@processes::uuid[])::integer AS turns;
