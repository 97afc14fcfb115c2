-- How many turns of a day (UTC) and a bot took how long.
CREATE TABLE IF NOT EXISTS latency (
    workspace_id UUID,
    day          Date,
    bot_id       UUID,
    bucket       Int32,
    turns        Int64
) ENGINE = SummingMergeTree(turns)
PARTITION BY toYYYYMM(day)
ORDER BY (workspace_id, day, bot_id, bucket)
TTL day + INTERVAL 10 YEAR
SETTINGS non_replicated_deduplication_window = 10000
