-- name: UseMetric :exec
-- Counts an amount of one metric, below nothing where some is given back; raises PYLIM where there is no room for it.
SELECT app.use(@workspace_id, @moment, jsonb_build_object(@metric::text, @amount::bigint), @limits, true);

-- name: GetUsage :many
-- What was used of each metric, and the workspace's own limit of it.
SELECT m.metric::text AS metric, coalesce(sum(c.amount), 0)::bigint AS used, o.most
  FROM unnest(@metrics::text[]) WITH ORDINALITY AS m(metric, place)
  LEFT JOIN usage_counters c ON c.workspace_id = @workspace_id AND c.metric = m.metric
        AND c.month = CASE m.metric WHEN 'storage_bytes' THEN '0001-01-01' ELSE @month::date END
  LEFT JOIN workspace_limits o ON o.workspace_id = @workspace_id AND o.metric = m.metric
 GROUP BY m.metric, m.place, o.most
 ORDER BY m.place;

-- name: SetLimit :one
INSERT INTO workspace_limits (workspace_id, metric, most) VALUES (@workspace_id, @metric, @most)
    ON CONFLICT (workspace_id, metric) DO UPDATE SET most = excluded.most
RETURNING most;

-- name: UnsetLimit :exec
DELETE FROM workspace_limits WHERE workspace_id = @workspace_id AND metric = @metric;
