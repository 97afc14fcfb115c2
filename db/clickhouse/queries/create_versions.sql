CREATE TABLE IF NOT EXISTS schema_versions (version UInt32, applied_at DateTime DEFAULT now())
ENGINE = ReplacingMergeTree ORDER BY version
