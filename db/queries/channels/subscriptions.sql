-- name: CreateSubscription :one
-- Raises PY404 where it is to be for an endpoint that is not there, PY403 or PYROL where its creator was removed, revoked or
-- demoted meanwhile.
INSERT INTO webhook_subscriptions (workspace_id, id, url, events, endpoint_id, status, secrets, created_by, created_at)
SELECT @workspace_id, @id, @url, @events::text[], sqlc.narg('endpoint_id')::uuid, 'active', @secrets, @created_by, @created_at
 WHERE app.require(sqlc.narg('endpoint_id')::uuid IS NULL OR EXISTS (
           SELECT 1 FROM webhook_endpoints e WHERE e.workspace_id = @workspace_id AND e.id = sqlc.narg('endpoint_id')::uuid AND e.deleted_at IS NULL
       ), 'endpoint')
   AND app.lock_authority(@workspace_id, @created_by, @roles::text[])
RETURNING id;

-- name: AdoptSubscription :one
UPDATE webhook_subscriptions SET responsible_id = @member::uuid, held_at = NULL
 WHERE workspace_id = @workspace_id AND id = @id AND deleted_at IS NULL AND app.lock_authority(@workspace_id, @member::uuid, @roles::text[])
RETURNING id, url, events, endpoint_id, status, disabled_reason, failing_since, secrets, created_at,
          coalesce(responsible_id, created_by)::uuid AS responsible_id, held_at;

-- name: ReleaseDeliveries :exec
-- Has the first deliveries of a subscription that wait attempted now. The job of any other looks for itself.
WITH waiting AS MATERIALIZED ( -- so that the cast is no part of the join: no index would be gone by
    SELECT d.id::text AS key FROM webhook_deliveries d
     WHERE d.workspace_id = @workspace_id AND d.subscription_id = @subscription_id AND d.status = 'pending'
     ORDER BY d.id LIMIT @count
), woken AS (
    UPDATE job_queue j SET run_at = now()
      FROM waiting w
     WHERE j.workspace_id = @workspace_id AND j.kind = @kind::text AND j.key = w.key AND j.status = 'queued' AND j.run_at > now()
 RETURNING j.id
)
SELECT pg_notify('parley_jobs', '') FROM woken LIMIT 1;

-- name: GetSubscription :one
SELECT id, url, events, endpoint_id, status, disabled_reason, failing_since, secrets, created_at,
       coalesce(responsible_id, created_by)::uuid AS responsible_id, held_at
  FROM webhook_subscriptions WHERE workspace_id = @workspace_id AND id = @id AND deleted_at IS NULL;

-- name: LockSubscription :one
SELECT id, url, events, endpoint_id, status, disabled_reason, failing_since, secrets, created_at,
       coalesce(responsible_id, created_by)::uuid AS responsible_id, held_at
  FROM webhook_subscriptions WHERE workspace_id = @workspace_id AND id = @id AND deleted_at IS NULL FOR UPDATE;

-- name: LockAuthority :exec
-- Before the subscription is locked, as whoever ends an authority locks first the member or key, then what it is responsible for.
SELECT app.lock_authority(@workspace_id::uuid, @actor::uuid, @roles::text[]);

-- name: SaveSubscription :exec
UPDATE webhook_subscriptions
   SET url = @url, events = @events, status = @status, disabled_reason = sqlc.narg('disabled_reason'),
       failing_since = sqlc.narg('failing_since'), secrets = @secrets, responsible_id = @responsible_id::uuid,
       last_failed_at = CASE WHEN sqlc.narg('failing_since')::timestamptz IS NOT NULL THEN last_failed_at END,
       failures = CASE WHEN sqlc.narg('failing_since')::timestamptz IS NOT NULL THEN failures ELSE 0 END
 WHERE workspace_id = @workspace_id AND id = @id;

-- name: DeleteSubscription :one
UPDATE webhook_subscriptions SET deleted_at = now()
 WHERE workspace_id = @workspace_id AND id = @id AND deleted_at IS NULL
RETURNING id;

-- name: ListSubscriptions :many
SELECT id, url, events, endpoint_id, status, disabled_reason, failing_since, secrets, created_at,
       coalesce(responsible_id, created_by)::uuid AS responsible_id, held_at
  FROM webhook_subscriptions
 WHERE workspace_id = @workspace_id AND deleted_at IS NULL AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before')::uuid)
 ORDER BY id DESC
 LIMIT @count;

-- name: ListDeliveries :many
SELECT id, subscription_id, event_id, event_type, status, attempts, created_at, finished_at
  FROM webhook_deliveries
 WHERE workspace_id = @workspace_id AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before')::uuid)
   AND (sqlc.narg('subscription_id')::uuid IS NULL OR subscription_id = sqlc.narg('subscription_id')::uuid)
   AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status')::text)
 ORDER BY id DESC
 LIMIT @count;

-- name: GetDelivery :one
SELECT d.id, d.subscription_id, d.event_id, d.event_type, coalesce(b.body, d.body)::text AS body, d.status, d.attempts, d.created_at, d.finished_at
  FROM webhook_deliveries d
  LEFT JOIN event_bodies b ON b.workspace_id = d.workspace_id AND b.event_id = d.event_id
 WHERE d.workspace_id = @workspace_id AND d.id = @id;

-- name: ListAttempts :many
-- Those of a delivery that was read before: an attempt that was made since then belongs to a state that was not read.
SELECT number, at, status, latency_ms, response, error FROM webhook_attempts
 WHERE workspace_id = @workspace_id AND delivery_id = @delivery_id AND number <= @attempts
 ORDER BY number DESC
 LIMIT 100;

-- name: ReopenDelivery :one
UPDATE webhook_deliveries d SET status = 'pending', finished_at = NULL
  FROM webhook_subscriptions s
 WHERE d.workspace_id = @workspace_id AND d.id = @id AND s.workspace_id = d.workspace_id AND s.id = d.subscription_id
RETURNING d.id, d.subscription_id, d.event_id, d.event_type, d.status, d.attempts, d.created_at, d.finished_at, s.url;

-- name: ExpireWebhooks :one
SELECT app.expire_webhooks(@count::integer)::integer;

-- name: SubscriptionsToReseal :many
SELECT s.id, s.secrets FROM webhook_subscriptions s
 WHERE s.workspace_id = @workspace_id AND s.id > @after
   AND EXISTS (SELECT FROM jsonb_array_elements(s.secrets) k WHERE left(k ->> 'sealed', 12) <> @mark::text)
 ORDER BY s.id
 LIMIT @count
   FOR UPDATE;

-- name: ResealSubscription :exec
UPDATE webhook_subscriptions SET secrets = @secrets WHERE workspace_id = @workspace_id AND id = @id;
