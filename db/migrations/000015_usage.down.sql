DROP FUNCTION app.use(uuid, timestamptz, jsonb, jsonb, boolean);
DROP FUNCTION app.used(uuid, date, text);
DROP TABLE usage_warnings;
DROP TABLE workspace_limits;
DROP TABLE usage_counters;
