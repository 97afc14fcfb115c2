-- The body of an event is stored once, however many subscriptions it is delivered to.
CREATE TABLE event_bodies (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    event_id     uuid NOT NULL,
    body         text NOT NULL, -- the very bytes that are signed and sent
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, event_id)
);
CREATE INDEX event_bodies_by_age ON event_bodies USING brin (created_at) WITH (autosummarize = on);
SELECT app.wall('event_bodies'), app.close_to_limited_keys('event_bodies');
GRANT SELECT, INSERT ON event_bodies TO parley_app;

-- A delivery that was made by the release before has its body in its own row. 'null' says that event_bodies has it.
ALTER TABLE webhook_deliveries ALTER COLUMN body SET DEFAULT 'null';
CREATE INDEX webhook_deliveries_by_event ON webhook_deliveries (workspace_id, event_id);

-- Removes deliveries that ended 30 days ago, bodies without a delivery and inbound events of 90 days; says how many rows.
GRANT SELECT (event_id) ON webhook_deliveries TO parley_door;
GRANT SELECT (workspace_id, event_id, created_at), DELETE ON event_bodies TO parley_door;
CREATE POLICY door ON event_bodies TO parley_door USING (true) WITH CHECK (true);
CREATE OR REPLACE FUNCTION app.expire_webhooks(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    removed integer := 0;
    n       integer;
BEGIN
    WITH old AS (
        SELECT d.workspace_id, d.id FROM public.webhook_deliveries d
         WHERE d.created_at < now() - interval '30 days' AND d.finished_at < now() - interval '30 days' LIMIT most
    )
    DELETE FROM public.webhook_deliveries d USING old
     WHERE (d.workspace_id, d.id) = (old.workspace_id, old.id) AND d.finished_at < now() - interval '30 days'; -- not one that is retried now
    GET DIAGNOSTICS n = ROW_COUNT;
    removed := removed + n;
    WITH old AS (
        SELECT b.workspace_id, b.event_id FROM public.event_bodies b
         WHERE b.created_at < now() - interval '30 days'
           AND NOT EXISTS (SELECT FROM public.webhook_deliveries d WHERE d.workspace_id = b.workspace_id AND d.event_id = b.event_id)
         LIMIT most
    )
    DELETE FROM public.event_bodies b USING old WHERE (b.workspace_id, b.event_id) = (old.workspace_id, old.event_id);
    GET DIAGNOSTICS n = ROW_COUNT;
    removed := removed + n;
    WITH old AS (
        SELECT e.workspace_id, e.id FROM public.webhook_events e WHERE e.received_at < now() - interval '90 days' LIMIT most
    )
    DELETE FROM public.webhook_events e USING old WHERE (e.workspace_id, e.id) = (old.workspace_id, old.id);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN removed + n;
END $$;
