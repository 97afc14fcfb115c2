-- Sums of a day (UTC) and a bot.
CREATE TABLE IF NOT EXISTS daily (
    workspace_id   UUID,
    day            Date,
    bot_id         UUID,
    turns          Int64,
    completed      Int64,
    failed         Int64,
    messages       Int64,
    webhook_events Int64,
    audit_entries  Int64,
    input_tokens   Int64,
    output_tokens  Int64,
    cost_micros    Int64
) ENGINE = SummingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (workspace_id, day, bot_id)
TTL day + INTERVAL 10 YEAR
SETTINGS non_replicated_deduplication_window = 10000
