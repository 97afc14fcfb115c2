DROP FUNCTION app.count_for_caller(uuid, uuid, text, jsonb, timestamptz);
DROP TABLE caller_counts;
