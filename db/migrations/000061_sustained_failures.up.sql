-- A subscription is disabled after failures that last: attempts over all of the time, without a pause in which nothing was tried.
ALTER TABLE webhook_subscriptions
    ADD COLUMN last_failed_at timestamptz,                 -- of the failed attempts since failing_since; to the minute
    ADD COLUMN failures       integer NOT NULL DEFAULT 0;  -- minutes since failing_since that have a failed attempt
