-- name: UseMetric :exec
-- Counts an amount of one metric, below nothing where some is given back; raises PYLIM where there is no room for it.
SELECT app.use(@workspace_id, @moment, jsonb_build_object(@metric::text, @amount::bigint), @limits, true);

-- name: GetUsage :many
-- What was used of each metric, and the workspace's own limit of it.
SELECT m.metric::text AS metric, coalesce(app.level(@workspace_id, m.metric), app.used(@workspace_id, @month::date, m.metric))::bigint AS used, o.most
  FROM unnest(@metrics::text[]) WITH ORDINALITY AS m(metric, place)
  LEFT JOIN workspace_limits o ON o.workspace_id = @workspace_id AND o.metric = m.metric
 ORDER BY m.place;

-- name: HasVerifiedSponsor :one
-- Whether somebody who has proved an address is responsible for an actor of the transaction's workspace.
SELECT app.has_verified_sponsor(@actor::uuid)::boolean;

-- name: SetLimit :one
INSERT INTO workspace_limits (workspace_id, metric, most) VALUES (@workspace_id, @metric, @most)
    ON CONFLICT (workspace_id, metric) DO UPDATE SET most = excluded.most
RETURNING most;

-- name: UnsetLimit :exec
DELETE FROM workspace_limits WHERE workspace_id = @workspace_id AND metric = @metric;

-- name: ReserveQuota :exec
-- Raises PYLIM where the workspace may not have one more.
SELECT app.make_room(@workspace_id::uuid, @metric::text, @max_amount::bigint);
