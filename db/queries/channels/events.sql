-- name: FindEndpoint :one
-- For a sender, who has no token.
SELECT workspace_id::uuid AS workspace_id, status::text AS status, secrets::jsonb AS secrets
  FROM app.read_endpoint(@id::uuid);

-- name: TakeEvent :one
-- An event of the outside, once for each of the sender's ids; no row where it is there already. Raises PYLIM when the
-- limit is reached.
WITH event AS (
    INSERT INTO webhook_events (workspace_id, id, endpoint_id, webhook_id, kind, payload, body, operation_id, conversation_id, status)
    VALUES (@workspace_id, @id, @endpoint_id, @webhook_id, @kind, @payload, sqlc.narg('body')::json, @operation_id, sqlc.narg('conversation_id'), @status)
        ON CONFLICT ON CONSTRAINT webhook_events_sender_key DO NOTHING
 RETURNING id, received_at
), counted AS ( -- for analytics
    INSERT INTO analytics_outbox (workspace_id, kind, count, at, bot_id)
    SELECT @workspace_id, 'webhook_event', 1, event.received_at,
           (SELECT e.bot_id FROM webhook_endpoints e WHERE e.workspace_id = @workspace_id AND e.id = @endpoint_id)
      FROM event
)
SELECT event.id, app.use(@workspace_id, event.received_at, '{"webhook_events": 1}', @limits::jsonb, true) AS counted
  FROM event;

-- name: FindEventOfSender :one
SELECT id FROM webhook_events WHERE workspace_id = @workspace_id AND endpoint_id = @endpoint_id AND webhook_id = @webhook_id;

-- name: GetEventToAnswer :one
-- A message that waits for its answer, the thread of its conversation (that of its turn, where it has one) and whether that
-- is ready: active, and of the endpoint's bot; and how many came before it that wait as well, the
-- first of them until when. One whose job lies in the dead letters keeps nobody waiting. And by what models its bot would
-- answer now.
SELECT e.id, e.endpoint_id, e.operation_id, e.conversation_id, coalesce(e.body, e.payload::json)::json AS payload, e.status, e.received_at,
       t.id AS thread_id, turn.thread_id AS turn_thread_id,
       coalesce(t.status = 'active' AND t.bot_id = ep.bot_id, false)::boolean AS thread_ready,
       earlier.count::integer AS earlier, earlier.seconds::double precision AS earlier_seconds,
       live.settings, ms.default_model, ms.fallbacks,
       ARRAY(SELECT k.provider FROM app.own_model_keys k WHERE k.workspace_id = e.workspace_id)::text[] AS own_keys
  FROM webhook_events e
 CROSS JOIN LATERAL (
       SELECT count(*) AS count, coalesce(extract(epoch FROM min(w.run_at) - now()), 0) AS seconds FROM (
            SELECT j.run_at FROM (
                 SELECT o.workspace_id, o.operation_id::text AS key FROM webhook_events o
                  WHERE o.workspace_id = e.workspace_id AND o.endpoint_id = e.endpoint_id AND o.conversation_id = e.conversation_id
                    AND o.status = 'received' AND (o.received_at, o.id) < (e.received_at, e.id)
                 OFFSET 0) o -- with the cast in the join no index of job_queue could be gone by: it stays outside the tenant policy
              JOIN job_queue j ON j.workspace_id = o.workspace_id AND j.kind = @kind::text AND j.key = o.key AND j.status <> 'done'
             LIMIT 30) w) earlier
  JOIN webhook_endpoints ep ON ep.workspace_id = e.workspace_id AND ep.id = e.endpoint_id
  LEFT JOIN app.channel_threads t ON t.workspace_id = e.workspace_id AND t.endpoint_id = e.endpoint_id AND t.conversation_id = e.conversation_id
  LEFT JOIN app.operation_turns turn ON turn.workspace_id = e.workspace_id AND turn.operation_id = e.operation_id AND turn.actor_id = e.endpoint_id
  LEFT JOIN app.live_versions live ON live.workspace_id = e.workspace_id AND live.bot_id = ep.bot_id
  LEFT JOIN app.default_models ms ON ms.workspace_id = e.workspace_id
 WHERE e.workspace_id = @workspace_id AND e.id = @id;

-- name: EventAnswered :exec
-- Marks a message as answered and wakes the job of the next one of its conversation.
WITH answered AS (
    UPDATE webhook_events e SET status = 'processed', processed_at = now(), thread_id = @thread_id, turn_id = (
           SELECT t.id FROM app.operation_turns t WHERE t.workspace_id = @workspace_id AND t.operation_id = e.operation_id AND t.actor_id = e.endpoint_id)
     WHERE e.workspace_id = @workspace_id AND e.id = @id AND e.status = 'received'
 RETURNING e.endpoint_id, e.conversation_id, e.received_at, e.id
), following AS MATERIALIZED ( -- so that the cast is no part of the join: see GetEventToAnswer
    SELECT o.operation_id::text AS key
      FROM answered a
     CROSS JOIN LATERAL (
           SELECT o.operation_id FROM webhook_events o
            WHERE o.workspace_id = @workspace_id AND o.endpoint_id = a.endpoint_id AND o.conversation_id = a.conversation_id
              AND o.status = 'received' AND (o.received_at, o.id) > (a.received_at, a.id)
            ORDER BY o.received_at, o.id LIMIT 1) o
), woken AS (
    UPDATE job_queue j SET run_at = now()
      FROM following f
     WHERE j.workspace_id = @workspace_id AND j.kind = @kind::text AND j.key = f.key AND j.status = 'queued' AND j.run_at > now() AND j.failures = 0
 RETURNING j.id
)
SELECT pg_notify('parley_jobs', '') FROM woken;

-- name: WakeFollowing :exec
-- Wakes the job of the next message of a conversation, once the one before it is given up.
WITH following AS MATERIALIZED ( -- so that the cast is no part of the join: see GetEventToAnswer
    SELECT o.operation_id::text AS key
      FROM webhook_events e
     CROSS JOIN LATERAL (
           SELECT o.operation_id FROM webhook_events o
            WHERE o.workspace_id = @workspace_id AND o.endpoint_id = e.endpoint_id AND o.conversation_id = e.conversation_id
              AND o.status = 'received' AND (o.received_at, o.id) > (e.received_at, e.id)
            ORDER BY o.received_at, o.id LIMIT 1) o
     WHERE e.workspace_id = @workspace_id AND e.id = @id
), woken AS (
    UPDATE job_queue j SET run_at = now()
      FROM following f
     WHERE j.workspace_id = @workspace_id AND j.kind = @kind::text AND j.key = f.key AND j.status = 'queued' AND j.run_at > now() AND j.failures = 0
 RETURNING j.id
)
SELECT pg_notify('parley_jobs', '') FROM woken;

-- name: ListEvents :many
SELECT e.id, e.endpoint_id, e.webhook_id, e.kind, e.conversation_id, e.operation_id, e.received_at, e.processed_at, e.thread_id, e.turn_id,
       (CASE WHEN e.status = 'received' AND EXISTS (
                  SELECT 1 FROM dead_letter_queue d WHERE d.workspace_id = e.workspace_id AND d.kind = @job_kind::text AND d.key = e.operation_id::text)
             THEN 'failed' ELSE e.status END)::text AS status
  FROM webhook_events e
 WHERE e.workspace_id = @workspace_id AND (sqlc.narg('before')::uuid IS NULL OR e.id < sqlc.narg('before')::uuid)
   AND (sqlc.narg('endpoint_id')::uuid IS NULL OR e.endpoint_id = sqlc.narg('endpoint_id')::uuid)
   AND (sqlc.narg('status')::text IS NULL OR e.status = CASE sqlc.narg('status')::text WHEN 'failed' THEN 'received' ELSE sqlc.narg('status')::text END) -- for the index
   AND (sqlc.narg('status')::text IS NULL OR sqlc.narg('status')::text =
       CASE WHEN e.status = 'received' AND EXISTS (
                 SELECT 1 FROM dead_letter_queue d WHERE d.workspace_id = e.workspace_id AND d.kind = @job_kind::text AND d.key = e.operation_id::text)
            THEN 'failed' ELSE e.status END)
 ORDER BY e.id DESC
 LIMIT @count;

-- name: GetEvent :one
SELECT e.id, e.endpoint_id, e.webhook_id, e.kind, e.conversation_id, e.operation_id, e.received_at, e.processed_at, e.thread_id, e.turn_id, coalesce(e.body, e.payload::json)::json AS payload,
       (CASE WHEN e.status = 'received' AND EXISTS (
                  SELECT 1 FROM dead_letter_queue d WHERE d.workspace_id = e.workspace_id AND d.kind = @job_kind::text AND d.key = e.operation_id::text)
             THEN 'failed' ELSE e.status END)::text AS status
  FROM webhook_events e
 WHERE e.workspace_id = @workspace_id AND e.id = @id;
