DROP FUNCTION app.roll_up_analytics(integer, integer[]), app.take_analytics(integer), app.drop_analytics(uuid);
ALTER TABLE llm_turns DROP COLUMN cost_micros;
DROP TABLE analytics_latency, analytics_daily, analytics_outbox;
