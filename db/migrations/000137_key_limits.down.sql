DROP FUNCTION app.use_for_caller(uuid, uuid, jsonb, bigint, bigint, timestamptz);
DROP FUNCTION app.begin_turn_of_key(uuid, uuid, jsonb, timestamptz);
ALTER TABLE caller_counts NO FORCE ROW LEVEL SECURITY; -- an owner that is no superuser reads all rows
DELETE FROM caller_counts WHERE metric <> 'turns' OR period = 'month';
ALTER TABLE caller_counts DROP CONSTRAINT caller_counts_metric_check, DROP CONSTRAINT caller_counts_period_check;
ALTER TABLE caller_counts ADD CONSTRAINT caller_counts_metric_check CHECK (metric IN ('turns')), ADD CONSTRAINT caller_counts_period_check CHECK (period IN ('minute', 'day'));
ALTER TABLE caller_counts FORCE ROW LEVEL SECURITY;
ALTER TABLE api_keys DROP COLUMN limits;
