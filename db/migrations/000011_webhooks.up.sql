-- Webhooks, in and out. Secrets are sealed by the program (AEAD); the database never sees one.

-- An id like those that the program makes (RFC 9562, version 7), for rows that SQL makes: lists are in the order of ids.
CREATE FUNCTION app.uuid_v7() RETURNS uuid
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
             PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
           52, 1), 53, 1), 'hex')::uuid
$$;

-- An answer that shows a secret once is stored sealed, and for one hour only.
ALTER TABLE operations ADD COLUMN sealed boolean NOT NULL DEFAULT false;
CREATE INDEX operations_sealed ON operations (finished_at) WHERE sealed AND body IS NOT NULL;
CREATE FUNCTION app.expire_sealed_answers() RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH emptied AS (
        UPDATE public.operations SET body = NULL, content_type = NULL, location = NULL, etag = NULL
         WHERE sealed AND body IS NOT NULL AND finished_at < now() - interval '1 hour'
     RETURNING 1
    )
    SELECT count(*)::integer FROM emptied
$$;

-- Where an outside system sends its events to.
CREATE TABLE webhook_endpoints (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id           uuid NOT NULL,
    name         text NOT NULL,
    bot_id       uuid NOT NULL,
    status       text NOT NULL CHECK (status IN ('active', 'disabled')),
    secrets      jsonb NOT NULL, -- [{sealed, until}], the newest first; until is null for the newest alone
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    deleted_at   timestamptz,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT webhook_endpoints_id_key UNIQUE (id), -- a sender knows the id alone
    CONSTRAINT webhook_endpoints_bot_fkey FOREIGN KEY (workspace_id, bot_id) REFERENCES bots (workspace_id, id)
);

-- Where the outside wants to be told of events.
CREATE TABLE webhook_subscriptions (
    workspace_id    uuid NOT NULL REFERENCES workspaces (id),
    id              uuid NOT NULL,
    url             text NOT NULL,
    events          text[] NOT NULL,
    endpoint_id     uuid, -- only what concerns the conversations of this endpoint; null: all
    status          text NOT NULL CHECK (status IN ('active', 'disabled')),
    disabled_reason text, -- null where a person did it
    failing_since   timestamptz,
    secrets         jsonb NOT NULL, -- as those of endpoints; the newest signs, beside those that are not yet out
    created_by      uuid NOT NULL,
    created_at      timestamptz NOT NULL,
    deleted_at      timestamptz,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT webhook_subscriptions_endpoint_fkey FOREIGN KEY (workspace_id, endpoint_id) REFERENCES webhook_endpoints (workspace_id, id)
);

-- One event on its way to one subscription. Its id is the webhook-id, the same in every attempt.
CREATE TABLE webhook_deliveries (
    workspace_id    uuid NOT NULL,
    id              uuid NOT NULL,
    subscription_id uuid NOT NULL,
    event_id        uuid NOT NULL,
    event_type      text NOT NULL,
    body            text NOT NULL, -- the very bytes that are signed and sent
    status          text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts        integer NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT webhook_deliveries_event_key UNIQUE (workspace_id, subscription_id, event_id),
    FOREIGN KEY (workspace_id, subscription_id) REFERENCES webhook_subscriptions (workspace_id, id),
    CHECK ((status = 'pending') = (finished_at IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries USING brin (created_at) WITH (autosummarize = on);

-- What came of each attempt.
CREATE TABLE webhook_attempts (
    workspace_id uuid NOT NULL,
    delivery_id  uuid NOT NULL,
    number       integer NOT NULL CHECK (number >= 1),
    at           timestamptz NOT NULL,
    status       integer, -- of the answer; null where there was none
    latency_ms   integer NOT NULL,
    response     text NOT NULL, -- its first KiB
    error        text, -- null: delivered
    PRIMARY KEY (workspace_id, delivery_id, number),
    FOREIGN KEY (workspace_id, delivery_id) REFERENCES webhook_deliveries (workspace_id, id) ON DELETE CASCADE
);

-- A new foreign key reads both tables, and the wall would keep their owner from that; it stands again below.
ALTER TABLE threads NO FORCE ROW LEVEL SECURITY;
ALTER TABLE webhook_events NO FORCE ROW LEVEL SECURITY;
ALTER TABLE llm_turns NO FORCE ROW LEVEL SECURITY;

-- A thread may belong to a conversation of the outside, as the sender names it.
ALTER TABLE threads
    ADD COLUMN endpoint_id     uuid,
    ADD COLUMN conversation_id text,
    ADD CONSTRAINT threads_endpoint_fkey FOREIGN KEY (workspace_id, endpoint_id) REFERENCES webhook_endpoints (workspace_id, id),
    ADD CONSTRAINT threads_channel_check CHECK ((endpoint_id IS NULL) = (conversation_id IS NULL));
CREATE UNIQUE INDEX threads_channel ON threads (endpoint_id, conversation_id, workspace_id) WHERE endpoint_id IS NOT NULL;

-- What came in. Nothing wrote to this table before.
ALTER TABLE webhook_events
    ADD COLUMN conversation_id text, -- of a message; null: of something else
    ADD COLUMN status       text NOT NULL DEFAULT 'received' CHECK (status IN ('received', 'processed', 'ignored')),
    ADD COLUMN processed_at timestamptz,
    ADD COLUMN thread_id    uuid,
    ADD COLUMN turn_id      uuid,
    ADD CONSTRAINT webhook_events_endpoint_fkey FOREIGN KEY (workspace_id, endpoint_id) REFERENCES webhook_endpoints (workspace_id, id),
    ADD CONSTRAINT webhook_events_turn_fkey FOREIGN KEY (workspace_id, turn_id) REFERENCES llm_turns (workspace_id, id);
ALTER TABLE webhook_events SET (fillfactor = 80);
-- What of a conversation is still to be answered, in its order.
CREATE INDEX webhook_events_waiting ON webhook_events (endpoint_id, conversation_id, received_at, id, workspace_id) WHERE status = 'received';
CREATE INDEX webhook_events_by_age ON webhook_events USING brin (received_at) WITH (autosummarize = on);
GRANT UPDATE (status, processed_at, thread_id, turn_id) ON webhook_events TO parley_app;

ALTER TABLE threads FORCE ROW LEVEL SECURITY;
ALTER TABLE webhook_events FORCE ROW LEVEL SECURITY;
ALTER TABLE llm_turns FORCE ROW LEVEL SECURITY;

SELECT app.wall('webhook_endpoints'), app.wall('webhook_subscriptions'), app.wall('webhook_deliveries'), app.wall('webhook_attempts');
GRANT SELECT, INSERT, UPDATE ON webhook_endpoints, webhook_subscriptions, webhook_deliveries TO parley_app;
GRANT SELECT, INSERT ON webhook_attempts TO parley_app;

-- Who an event is for: its sender has no token, only the id in the address, and a signature that the program checks.
GRANT SELECT (workspace_id, id, bot_id, status, secrets, deleted_at) ON webhook_endpoints TO parley_door;
CREATE POLICY door ON webhook_endpoints FOR SELECT TO parley_door USING (true);
CREATE FUNCTION app.find_webhook_endpoint(endpoint uuid)
    RETURNS TABLE (workspace_id uuid, status text, secrets jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.workspace_id, e.status, e.secrets FROM public.webhook_endpoints e WHERE e.id = endpoint AND e.deleted_at IS NULL
$$;

-- Removes deliveries that ended 30 days ago and events of 90 days; says how many.
GRANT SELECT (workspace_id, id, status, created_at, finished_at), DELETE ON webhook_deliveries TO parley_door;
CREATE POLICY door ON webhook_deliveries TO parley_door USING (true) WITH CHECK (true);
GRANT SELECT (workspace_id, id, received_at), DELETE ON webhook_events TO parley_door;
CREATE POLICY door ON webhook_events TO parley_door USING (true) WITH CHECK (true);
CREATE FUNCTION app.expire_webhooks(most integer) RETURNS integer
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

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.expire_sealed_answers() OWNER TO parley_door;
ALTER FUNCTION app.find_webhook_endpoint(uuid) OWNER TO parley_door;
ALTER FUNCTION app.expire_webhooks(integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.expire_sealed_answers(), app.find_webhook_endpoint(uuid), app.expire_webhooks(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.expire_sealed_answers(), app.find_webhook_endpoint(uuid), app.expire_webhooks(integer) TO parley_app;
