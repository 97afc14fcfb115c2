-- name: RollUpAnalytics :one
SELECT app.roll_up_analytics(@most::integer, @bounds::integer[])::integer;

-- name: TakeAnalytics :many
SELECT batch::uuid AS batch, workspace_id::uuid AS workspace_id, id::bigint AS id, kind::text AS kind, count::integer AS count,
       messages::integer AS messages, at::timestamptz AS at, coalesce(bot_id, '00000000-0000-0000-0000-000000000000')::uuid AS bot_id,
       provider::text AS provider, model::text AS model, input_tokens::bigint AS input_tokens, output_tokens::bigint AS output_tokens,
       cost_micros::bigint AS cost_micros, (CASE WHEN latency_ms IS NULL THEN -1 ELSE greatest(latency_ms, 0) END)::integer AS latency_ms
  FROM app.take_analytics(@most::integer);

-- name: DropAnalytics :exec
SELECT app.drop_analytics(@batch::uuid);

-- name: OldestUncounted :one
-- Since when the row that has waited longest has waited. No row where all is counted.
SELECT written_at FROM analytics_outbox WHERE workspace_id = @workspace_id ORDER BY id LIMIT 1;

-- name: IsSendingFromBefore :one
-- Whether rows of a workspace from before a time are on their way to another server.
SELECT EXISTS (SELECT FROM analytics_outbox WHERE workspace_id = @workspace_id AND batch IS NOT NULL AND at < @before::timestamptz);

-- name: AnalyticsCounts :many
SELECT (date_trunc(@unit::text, d.day::timestamp) AT TIME ZONE 'UTC')::timestamptz AS period,
       sum(d.turns)::bigint AS turns, sum(d.completed)::bigint AS completed, sum(d.failed)::bigint AS failed,
       sum(d.messages)::bigint AS messages, sum(d.webhook_events)::bigint AS webhook_events, sum(d.audit_entries)::bigint AS audit_entries,
       sum(d.input_tokens)::bigint AS input_tokens, sum(d.output_tokens)::bigint AS output_tokens, sum(d.cost_micros)::bigint AS cost_micros
  FROM analytics_daily d
 WHERE d.workspace_id = @workspace_id
   AND d.day >= (@from_day::text)::date AND d.day < (@to_day::text)::date
   AND (sqlc.narg('bot_id')::uuid IS NULL OR d.bot_id = sqlc.narg('bot_id')::uuid)
 GROUP BY 1;

-- name: AnalyticsLatencies :many
SELECT (date_trunc(@unit::text, l.day::timestamp) AT TIME ZONE 'UTC')::timestamptz AS period, l.bucket, sum(l.turns)::bigint AS turns
  FROM analytics_latency l
 WHERE l.workspace_id = @workspace_id
   AND l.day >= (@from_day::text)::date AND l.day < (@to_day::text)::date
   AND (sqlc.narg('bot_id')::uuid IS NULL OR l.bot_id = sqlc.narg('bot_id')::uuid)
 GROUP BY 1, 2;

-- name: AnalyticsQuarterCounts :many
-- The period is its place among the bounds, from 1: an instant belongs to the last bound that is not after it.
SELECT width_bucket(q.quarter, @bounds::timestamptz[])::integer AS period,
       sum(q.turns)::bigint AS turns, sum(q.completed)::bigint AS completed, sum(q.failed)::bigint AS failed,
       sum(q.messages)::bigint AS messages, sum(q.webhook_events)::bigint AS webhook_events, sum(q.audit_entries)::bigint AS audit_entries,
       sum(q.input_tokens)::bigint AS input_tokens, sum(q.output_tokens)::bigint AS output_tokens, sum(q.cost_micros)::bigint AS cost_micros
  FROM analytics_quarters q
 WHERE q.workspace_id = @workspace_id
   AND q.quarter >= @from_time::timestamptz AND q.quarter < @to_time::timestamptz
   AND (sqlc.narg('bot_id')::uuid IS NULL OR q.bot_id = sqlc.narg('bot_id')::uuid)
 GROUP BY 1;

-- name: AnalyticsQuarterLatencies :many
SELECT width_bucket(l.quarter, @bounds::timestamptz[])::integer AS period, l.bucket, sum(l.turns)::bigint AS turns
  FROM analytics_latency_quarters l
 WHERE l.workspace_id = @workspace_id
   AND l.quarter >= @from_time::timestamptz AND l.quarter < @to_time::timestamptz
   AND (sqlc.narg('bot_id')::uuid IS NULL OR l.bot_id = sqlc.narg('bot_id')::uuid)
 GROUP BY 1, 2;

-- name: AnalyticsDepth :one
SELECT app.analytics_depth(@most::integer)::integer;
