-- name: PublishEvent :exec
-- The body, and a delivery and its job for every subscription that wants the event; for most events there is none of these.
-- The target of the job is the host of the URL, as webhook.Host gives it.
WITH wanted AS MATERIALIZED (
    SELECT s.id, app.uuid_v7() AS delivery_id,
           left(lower(trim(trailing '.' FROM trim(both '[]' FROM substring(s.url FROM '^[A-Za-z]+://(\[[^]]*\]|[^/?:]*)')))), 255) AS host
      FROM webhook_subscriptions s
     WHERE s.workspace_id = @workspace_id AND s.status = 'active' AND s.deleted_at IS NULL AND @event_type::text = ANY (s.events)
       AND (s.held_at IS NULL OR s.held_at > now() - interval '7 days') -- nobody has adopted it, and nobody will read what waits
       AND (s.endpoint_id IS NULL OR s.endpoint_id = sqlc.narg('endpoint_id')::uuid)
), stored AS (
    INSERT INTO event_bodies (workspace_id, event_id, body)
    SELECT @workspace_id, @event_id, @body WHERE EXISTS (SELECT 1 FROM wanted)
), delivery AS (
    INSERT INTO webhook_deliveries (workspace_id, id, subscription_id, event_id, event_type)
    SELECT @workspace_id, wanted.delivery_id, wanted.id, @event_id, @event_type::text FROM wanted
), queued AS (
    INSERT INTO job_queue (workspace_id, id, kind, key, target, payload, operation_id, trace_id, max_attempts)
    SELECT @workspace_id, app.uuid_v7(), @kind::text, wanted.delivery_id::text, coalesce(wanted.host, ''),
           jsonb_build_object('delivery_id', wanted.delivery_id), sqlc.narg('operation_id')::uuid, @trace_id, @max_attempts
      FROM wanted
 RETURNING id
)
SELECT pg_notify('parley_jobs', '') FROM queued LIMIT 1;

-- name: CreateDelivery :exec
-- A delivery of an event of its own.
WITH stored AS (
    INSERT INTO event_bodies (workspace_id, event_id, body) VALUES (@workspace_id, @event_id, @body)
)
INSERT INTO webhook_deliveries (workspace_id, id, subscription_id, event_id, event_type, created_at)
VALUES (@workspace_id, @id, @subscription_id, @event_id, @event_type, @created_at);

-- name: GetDeliveryToSend :one
-- What an attempt needs to know. The release before stored the body in the row of the delivery.
SELECT d.id, d.subscription_id, d.event_type, coalesce(b.body, d.body)::text AS body, d.status, d.attempts, d.created_at,
       s.url, s.secrets, s.failing_since, s.last_failed_at, s.failures, s.held_at, (s.status = 'active')::boolean AS active,
       (s.deleted_at IS NOT NULL)::boolean AS deleted
  FROM webhook_deliveries d
  JOIN webhook_subscriptions s ON s.workspace_id = d.workspace_id AND s.id = d.subscription_id
  LEFT JOIN event_bodies b ON b.workspace_id = d.workspace_id AND b.event_id = d.event_id
 WHERE d.workspace_id = @workspace_id AND d.id = @id;

-- name: RecordAttempt :exec
-- What the target of an erased event has answered is not stored: it may repeat the event.
WITH attempted AS (
    UPDATE webhook_deliveries d SET attempts = d.attempts + 1
     WHERE d.workspace_id = @workspace_id AND d.id = @delivery_id
 RETURNING d.id, d.attempts, d.erased_at
)
INSERT INTO webhook_attempts (workspace_id, delivery_id, number, at, status, latency_ms, response, error)
SELECT @workspace_id, attempted.id, attempted.attempts, @at, sqlc.narg('status')::integer, @latency_ms,
       CASE WHEN attempted.erased_at IS NULL THEN @response::text ELSE '' END, sqlc.narg('error')::text
  FROM attempted;

-- name: EndDelivery :exec
UPDATE webhook_deliveries SET status = @status, finished_at = now()
 WHERE workspace_id = @workspace_id AND id = @id AND status <> 'delivered'; -- one that failed has its dead letter, and may be retried by that

-- name: SubscriptionWorks :exec
UPDATE webhook_subscriptions SET failing_since = NULL, last_failed_at = NULL, failures = 0
 WHERE workspace_id = @workspace_id AND id = @id AND failing_since IS NOT NULL;

-- name: SubscriptionFails :exec
-- Counts a failed attempt, once a minute at the most. After a pause the count begins anew, and so does the time. The release
-- before this one stores no last_failed_at.
UPDATE webhook_subscriptions
   SET failing_since = CASE WHEN last_failed_at >= now() - make_interval(secs => @max_pause_seconds::double precision) THEN coalesce(failing_since, now()) ELSE now() END,
       failures = CASE WHEN failing_since IS NOT NULL AND last_failed_at >= now() - make_interval(secs => @max_pause_seconds::double precision) THEN failures + 1 ELSE 1 END,
       last_failed_at = now()
 WHERE workspace_id = @workspace_id AND id = @id
   AND (failing_since IS NULL OR last_failed_at IS NULL OR last_failed_at < now() - interval '1 minute');

-- name: GiveUpSubscription :one
-- Disables what has failed for too long; no row where somebody was quicker.
UPDATE webhook_subscriptions SET status = 'disabled', disabled_reason = @reason
 WHERE workspace_id = @workspace_id AND id = @id AND status = 'active' AND deleted_at IS NULL
RETURNING id;

-- name: GetDeliveryType :one
SELECT event_type FROM webhook_deliveries WHERE workspace_id = @workspace_id AND id = @id;
