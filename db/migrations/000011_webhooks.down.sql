DROP FUNCTION app.expire_webhooks(integer);
DROP FUNCTION app.find_webhook_endpoint(uuid);
DROP POLICY door ON webhook_events;
REVOKE SELECT (workspace_id, id, received_at), DELETE ON webhook_events FROM parley_door;
REVOKE UPDATE (status, processed_at, thread_id, turn_id) ON webhook_events FROM parley_app;
DROP INDEX webhook_events_by_age;
DROP INDEX webhook_events_waiting;
ALTER TABLE webhook_events RESET (fillfactor);
ALTER TABLE webhook_events
    DROP CONSTRAINT webhook_events_turn_fkey, DROP CONSTRAINT webhook_events_endpoint_fkey,
    DROP COLUMN turn_id, DROP COLUMN thread_id, DROP COLUMN processed_at, DROP COLUMN status, DROP COLUMN conversation_id;
DROP INDEX threads_channel;
ALTER TABLE threads
    DROP CONSTRAINT threads_channel_check, DROP CONSTRAINT threads_endpoint_fkey,
    DROP COLUMN conversation_id, DROP COLUMN endpoint_id;
DROP TABLE webhook_attempts;
DROP TABLE webhook_deliveries;
DROP TABLE webhook_subscriptions;
DROP TABLE webhook_endpoints;
DROP FUNCTION app.expire_sealed_answers();
DROP INDEX operations_sealed;
ALTER TABLE operations DROP COLUMN sealed;
DROP FUNCTION app.uuid_v7();
