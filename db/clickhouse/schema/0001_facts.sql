-- What has happened, a row a row of the outbox. count is by how much it changes: -1 takes back what no longer holds.
-- An insert that is repeated under the same insert_deduplication_token, which is the id of its batch, inserts nothing.
CREATE TABLE IF NOT EXISTS facts (
    workspace_id  UUID,
    at            DateTime64(6, 'UTC'),
    batch         UUID,
    id            Int64, -- in its batch
    kind          LowCardinality(String), -- completed, failed, cancelled: turns; webhook_event; audit
    count         Int32,
    messages      Int32,
    bot_id        UUID, -- the zero id: of no bot
    provider      LowCardinality(String),
    model         LowCardinality(String),
    input_tokens  Int64,
    output_tokens Int64,
    cost_micros   Int64,
    latency_ms    Int32, -- -1: of none
    bucket        Int32  -- of latency_ms in the histogram of platform/analytics; -1: in none
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (workspace_id, at, batch, id)
TTL toDateTime(at) + INTERVAL 13 MONTH
SETTINGS non_replicated_deduplication_window = 10000
