-- What is counted, and its roll-ups. What is finished leaves a row here in the very statement that finishes it, and the
-- exporter takes it away: an outbox, as ids and times are not in the order of commits, and transaction ids do not
-- outlive a dump. A row says by how much counts change, so that what no longer holds is taken back by its negative.
CREATE TABLE analytics_outbox (
    workspace_id  uuid NOT NULL,
    id            bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    kind          text NOT NULL CHECK (kind IN ('completed', 'failed', 'cancelled', 'webhook_event', 'audit')), -- the first three: turns
    count         integer NOT NULL,
    messages      integer NOT NULL DEFAULT 0,
    at            timestamptz NOT NULL,
    bot_id        uuid,
    provider      text NOT NULL DEFAULT '',
    model         text NOT NULL DEFAULT '',
    input_tokens  bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    cost_micros   bigint NOT NULL DEFAULT 0,
    latency_ms    integer, -- of a completed turn
    written_at    timestamptz NOT NULL DEFAULT now(),
    batch         uuid, -- with which it goes, or has gone, to another server; null: in none yet
    PRIMARY KEY (workspace_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX analytics_outbox_batches ON analytics_outbox (batch) WHERE batch IS NOT NULL;

-- Sums of a day (UTC) and a bot; the zero id is for what belongs to no bot.
CREATE TABLE analytics_daily (
    workspace_id   uuid NOT NULL,
    day            date NOT NULL,
    bot_id         uuid NOT NULL,
    turns          bigint NOT NULL,
    completed      bigint NOT NULL,
    failed         bigint NOT NULL,
    messages       bigint NOT NULL,
    webhook_events bigint NOT NULL,
    audit_entries  bigint NOT NULL,
    input_tokens   bigint NOT NULL,
    output_tokens  bigint NOT NULL,
    cost_micros    bigint NOT NULL,
    PRIMARY KEY (workspace_id, day, bot_id)
) WITH (fillfactor = 70);

-- How many turns took how long: the histogram of platform/analytics.
CREATE TABLE analytics_latency (
    workspace_id uuid NOT NULL,
    day          date NOT NULL,
    bot_id       uuid NOT NULL,
    bucket       integer NOT NULL CHECK (bucket >= 0),
    turns        bigint NOT NULL,
    PRIMARY KEY (workspace_id, day, bot_id, bucket)
) WITH (fillfactor = 70);

SELECT app.wall('analytics_outbox'), app.wall('analytics_daily'), app.wall('analytics_latency');
GRANT SELECT, INSERT ON analytics_outbox TO parley_app;
GRANT SELECT ON analytics_daily, analytics_latency TO parley_app;

-- What a turn cost, in millionths of the currency of the bill; null: nothing that is known.
ALTER TABLE llm_turns ADD COLUMN cost_micros bigint CHECK (cost_micros >= 0);

-- What was there before is counted as well. The wall would keep its owner from reading it; it stands again below.
ALTER TABLE llm_turns NO FORCE ROW LEVEL SECURITY;
ALTER TABLE webhook_events NO FORCE ROW LEVEL SECURITY;
ALTER TABLE webhook_endpoints NO FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_seals NO FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_log NO FORCE ROW LEVEL SECURITY;
ALTER TABLE analytics_outbox NO FORCE ROW LEVEL SECURITY;
INSERT INTO analytics_outbox (workspace_id, kind, count, messages, at, bot_id, provider, model, input_tokens, output_tokens, latency_ms)
SELECT t.workspace_id, t.status, 1, CASE t.status WHEN 'completed' THEN 2 ELSE 1 END, t.finished_at, t.bot_id, t.provider, t.model,
       coalesce(t.input_tokens, 0), coalesce(t.output_tokens, 0), CASE t.status WHEN 'completed' THEN t.latency_ms END
  FROM llm_turns t WHERE t.status <> 'running';
INSERT INTO analytics_outbox (workspace_id, kind, count, at, bot_id)
SELECT w.workspace_id, 'webhook_event', 1, w.received_at, e.bot_id
  FROM webhook_events w LEFT JOIN webhook_endpoints e ON e.workspace_id = w.workspace_id AND e.id = w.endpoint_id;
INSERT INTO analytics_outbox (workspace_id, kind, count, at)
SELECT a.workspace_id, 'audit', count(*), min(a.created_at)
  FROM (SELECT s.workspace_id, unnest(s.row_ids) AS id FROM audit_seals s) sealed
  JOIN audit_log a ON a.workspace_id = sealed.workspace_id AND a.id = sealed.id
 GROUP BY a.workspace_id, (a.created_at AT TIME ZONE 'UTC')::date;
ALTER TABLE llm_turns FORCE ROW LEVEL SECURITY;
ALTER TABLE webhook_events FORCE ROW LEVEL SECURITY;
ALTER TABLE webhook_endpoints FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_seals FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_log FORCE ROW LEVEL SECURITY;
ALTER TABLE analytics_outbox FORCE ROW LEVEL SECURITY;

GRANT SELECT, DELETE, UPDATE (batch) ON analytics_outbox TO parley_door;
CREATE POLICY door ON analytics_outbox TO parley_door USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON analytics_daily, analytics_latency TO parley_door;
CREATE POLICY door ON analytics_daily TO parley_door USING (true) WITH CHECK (true);
CREATE POLICY door ON analytics_latency TO parley_door USING (true) WITH CHECK (true);

-- Moves rows of the outbox into the roll-ups, most of them at the most, and says how many: 0 when there are no more.
-- bounds are where the buckets of the histogram begin.
CREATE FUNCTION app.roll_up_analytics(most integer, bounds integer[]) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH due AS (
        SELECT o.workspace_id, o.id FROM public.analytics_outbox o LIMIT most FOR UPDATE SKIP LOCKED
    ), taken AS (
        DELETE FROM public.analytics_outbox o USING due WHERE (o.workspace_id, o.id) = (due.workspace_id, due.id)
     RETURNING o.workspace_id, (o.at AT TIME ZONE 'UTC')::date AS day,
               coalesce(o.bot_id, '00000000-0000-0000-0000-000000000000') AS bot_id,
               o.kind, o.count, o.messages, o.input_tokens, o.output_tokens, o.cost_micros,
               width_bucket(greatest(o.latency_ms, 0), bounds) - 1 AS bucket, o.latency_ms
    ), summed AS (
        INSERT INTO public.analytics_daily AS d
        SELECT t.workspace_id, t.day, t.bot_id,
               coalesce(sum(t.count) FILTER (WHERE t.kind IN ('completed', 'failed', 'cancelled')), 0),
               coalesce(sum(t.count) FILTER (WHERE t.kind = 'completed'), 0), coalesce(sum(t.count) FILTER (WHERE t.kind = 'failed'), 0),
               sum(t.messages),
               coalesce(sum(t.count) FILTER (WHERE t.kind = 'webhook_event'), 0), coalesce(sum(t.count) FILTER (WHERE t.kind = 'audit'), 0),
               sum(t.input_tokens), sum(t.output_tokens), sum(t.cost_micros)
          FROM taken t GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 -- in one order, so that two of these wait for each other and no more
            ON CONFLICT (workspace_id, day, bot_id) DO UPDATE
           SET turns = d.turns + excluded.turns, completed = d.completed + excluded.completed, failed = d.failed + excluded.failed,
               messages = d.messages + excluded.messages, webhook_events = d.webhook_events + excluded.webhook_events,
               audit_entries = d.audit_entries + excluded.audit_entries, input_tokens = d.input_tokens + excluded.input_tokens,
               output_tokens = d.output_tokens + excluded.output_tokens, cost_micros = d.cost_micros + excluded.cost_micros
    ), timed AS (
        INSERT INTO public.analytics_latency AS l
        SELECT t.workspace_id, t.day, t.bot_id, t.bucket, sum(t.count) FROM taken t WHERE t.latency_ms IS NOT NULL
         GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
            ON CONFLICT (workspace_id, day, bot_id, bucket) DO UPDATE SET turns = l.turns + excluded.turns
    )
    SELECT count(*)::integer FROM taken
$$;

-- Gives a batch that goes to another server: one that was fixed before and has not been dropped since, with the very rows
-- that it had, else most free rows at the most, which are fixed as a batch by this. No row: there is nothing to send.
CREATE FUNCTION app.take_analytics(most integer)
    RETURNS TABLE (batch uuid, workspace_id uuid, id bigint, kind text, count integer, messages integer, at timestamptz, bot_id uuid,
                   provider text, model text, input_tokens bigint, output_tokens bigint, cost_micros bigint, latency_ms integer)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    taken uuid := (SELECT o.batch FROM public.analytics_outbox o WHERE o.batch IS NOT NULL ORDER BY o.batch LIMIT 1);
BEGIN
    IF taken IS NULL THEN
        taken := app.uuid_v7();
        UPDATE public.analytics_outbox o SET batch = taken
          FROM (SELECT f.workspace_id, f.id FROM public.analytics_outbox f WHERE f.batch IS NULL LIMIT most FOR UPDATE SKIP LOCKED) free
         WHERE o.workspace_id = free.workspace_id AND o.id = free.id;
    END IF;
    RETURN QUERY
    SELECT o.batch, o.workspace_id, o.id, o.kind, o.count, o.messages, o.at, o.bot_id, o.provider, o.model,
           o.input_tokens, o.output_tokens, o.cost_micros, o.latency_ms
      FROM public.analytics_outbox o WHERE o.batch = taken ORDER BY o.workspace_id, o.id;
END $$;

-- Drops a batch that has arrived.
CREATE FUNCTION app.drop_analytics(arrived uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM public.analytics_outbox o WHERE o.batch = arrived
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.roll_up_analytics(integer, integer[]) OWNER TO parley_door;
ALTER FUNCTION app.take_analytics(integer) OWNER TO parley_door;
ALTER FUNCTION app.drop_analytics(uuid) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.roll_up_analytics(integer, integer[]), app.take_analytics(integer), app.drop_analytics(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.roll_up_analytics(integer, integer[]), app.take_analytics(integer), app.drop_analytics(uuid) TO parley_app;
