CREATE MATERIALIZED VIEW IF NOT EXISTS latency_view TO latency AS
SELECT workspace_id, toDate(at) AS day, bot_id, bucket, sum(facts.count) AS turns
  FROM facts
 WHERE bucket >= 0
 GROUP BY workspace_id, day, bot_id, bucket
