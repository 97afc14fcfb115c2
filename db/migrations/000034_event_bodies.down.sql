CREATE OR REPLACE FUNCTION app.expire_webhooks(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    deliveries integer;
    events     integer;
BEGIN
    WITH old AS (
        SELECT d.workspace_id, d.id FROM public.webhook_deliveries d
         WHERE d.created_at < now() - interval '30 days' AND d.finished_at < now() - interval '30 days' LIMIT most
    )
    DELETE FROM public.webhook_deliveries d USING old WHERE (d.workspace_id, d.id) = (old.workspace_id, old.id);
    GET DIAGNOSTICS deliveries = ROW_COUNT;
    WITH old AS (
        SELECT e.workspace_id, e.id FROM public.webhook_events e WHERE e.received_at < now() - interval '90 days' LIMIT most
    )
    DELETE FROM public.webhook_events e USING old WHERE (e.workspace_id, e.id) = (old.workspace_id, old.id);
    GET DIAGNOSTICS events = ROW_COUNT;
    RETURN deliveries + events;
END $$;
REVOKE SELECT (event_id) ON webhook_deliveries FROM parley_door;

-- Each delivery has its body in its own row again.
ALTER TABLE webhook_deliveries NO FORCE ROW LEVEL SECURITY;
ALTER TABLE event_bodies NO FORCE ROW LEVEL SECURITY;
UPDATE webhook_deliveries d SET body = b.body FROM event_bodies b WHERE b.workspace_id = d.workspace_id AND b.event_id = d.event_id;
ALTER TABLE webhook_deliveries FORCE ROW LEVEL SECURITY;
ALTER TABLE webhook_deliveries ALTER COLUMN body DROP DEFAULT;
DROP INDEX webhook_deliveries_by_event;
DROP TABLE event_bodies;
