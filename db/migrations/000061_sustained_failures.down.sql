ALTER TABLE webhook_subscriptions DROP COLUMN failures, DROP COLUMN last_failed_at;
