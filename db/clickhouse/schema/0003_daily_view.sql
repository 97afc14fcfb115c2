CREATE MATERIALIZED VIEW IF NOT EXISTS daily_view TO daily AS
SELECT workspace_id, toDate(at) AS day, bot_id,
       sumIf(facts.count, kind IN ('completed', 'failed', 'cancelled')) AS turns,
       sumIf(facts.count, kind = 'completed') AS completed,
       sumIf(facts.count, kind = 'failed') AS failed,
       sum(facts.messages) AS messages,
       sumIf(facts.count, kind = 'webhook_event') AS webhook_events,
       sumIf(facts.count, kind = 'audit') AS audit_entries,
       sum(facts.input_tokens) AS input_tokens,
       sum(facts.output_tokens) AS output_tokens,
       sum(facts.cost_micros) AS cost_micros
  FROM facts
 GROUP BY workspace_id, day, bot_id
