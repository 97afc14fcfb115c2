-- What checks write and read back.
CREATE TABLE IF NOT EXISTS checks (id UUID, at DateTime DEFAULT now())
ENGINE = MergeTree ORDER BY id TTL at + INTERVAL 1 DAY
