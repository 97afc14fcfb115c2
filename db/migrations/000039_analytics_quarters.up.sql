-- Roll-ups of quarters of an hour, from which days of every time zone are added up: offsets from UTC are multiples of 15
-- minutes. Days of UTC are read from analytics_daily, as before.
CREATE TABLE analytics_quarters (
    workspace_id   uuid NOT NULL,
    quarter        timestamptz NOT NULL, -- its beginning
    bot_id         uuid NOT NULL, -- the zero id: of no bot
    turns          bigint NOT NULL,
    completed      bigint NOT NULL,
    failed         bigint NOT NULL,
    messages       bigint NOT NULL,
    webhook_events bigint NOT NULL,
    audit_entries  bigint NOT NULL,
    input_tokens   bigint NOT NULL,
    output_tokens  bigint NOT NULL,
    cost_micros    bigint NOT NULL,
    PRIMARY KEY (workspace_id, quarter, bot_id)
);
CREATE TABLE analytics_latency_quarters (
    workspace_id uuid NOT NULL,
    quarter      timestamptz NOT NULL,
    bot_id       uuid NOT NULL,
    bucket       integer NOT NULL CHECK (bucket >= 0),
    turns        bigint NOT NULL,
    PRIMARY KEY (workspace_id, quarter, bot_id, bucket)
);
SELECT app.wall('analytics_quarters'), app.wall('analytics_latency_quarters');
SELECT app.keep_to_bots('analytics_quarters'), app.keep_to_bots('analytics_latency_quarters');
GRANT SELECT ON analytics_quarters, analytics_latency_quarters TO parley_app;
GRANT SELECT, INSERT, UPDATE ON analytics_quarters, analytics_latency_quarters TO parley_door;
CREATE POLICY door ON analytics_quarters TO parley_door USING (true) WITH CHECK (true);
CREATE POLICY door ON analytics_latency_quarters TO parley_door USING (true) WITH CHECK (true);

CREATE OR REPLACE FUNCTION app.roll_up_analytics(most integer, bounds integer[]) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH due AS (
        SELECT o.workspace_id, o.id FROM public.analytics_outbox o LIMIT most FOR UPDATE SKIP LOCKED
    ), taken AS (
        DELETE FROM public.analytics_outbox o USING due WHERE (o.workspace_id, o.id) = (due.workspace_id, due.id)
     RETURNING o.workspace_id, (o.at AT TIME ZONE 'UTC')::date AS day,
               to_timestamp(floor(extract(epoch FROM o.at) / 900) * 900) AS quarter,
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
    ), summed_quarters AS (
        INSERT INTO public.analytics_quarters AS d
        SELECT t.workspace_id, t.quarter, t.bot_id,
               coalesce(sum(t.count) FILTER (WHERE t.kind IN ('completed', 'failed', 'cancelled')), 0),
               coalesce(sum(t.count) FILTER (WHERE t.kind = 'completed'), 0), coalesce(sum(t.count) FILTER (WHERE t.kind = 'failed'), 0),
               sum(t.messages),
               coalesce(sum(t.count) FILTER (WHERE t.kind = 'webhook_event'), 0), coalesce(sum(t.count) FILTER (WHERE t.kind = 'audit'), 0),
               sum(t.input_tokens), sum(t.output_tokens), sum(t.cost_micros)
          FROM taken t GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            ON CONFLICT (workspace_id, quarter, bot_id) DO UPDATE
           SET turns = d.turns + excluded.turns, completed = d.completed + excluded.completed, failed = d.failed + excluded.failed,
               messages = d.messages + excluded.messages, webhook_events = d.webhook_events + excluded.webhook_events,
               audit_entries = d.audit_entries + excluded.audit_entries, input_tokens = d.input_tokens + excluded.input_tokens,
               output_tokens = d.output_tokens + excluded.output_tokens, cost_micros = d.cost_micros + excluded.cost_micros
    ), timed_quarters AS (
        INSERT INTO public.analytics_latency_quarters AS l
        SELECT t.workspace_id, t.quarter, t.bot_id, t.bucket, sum(t.count) FROM taken t WHERE t.latency_ms IS NOT NULL
         GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
            ON CONFLICT (workspace_id, quarter, bot_id, bucket) DO UPDATE SET turns = l.turns + excluded.turns
    )
    SELECT count(*)::integer FROM taken
$$;

-- What was counted by days of UTC stands at noon, so that it belongs to the same date almost everywhere.
DO $$
DECLARE migrator text := current_user;
BEGIN
    SET LOCAL row_security = on;
    SET LOCAL ROLE parley_door;
    INSERT INTO public.analytics_quarters
    SELECT d.workspace_id, (d.day + time '12:00') AT TIME ZONE 'UTC', d.bot_id, d.turns, d.completed, d.failed, d.messages, d.webhook_events,
           d.audit_entries, d.input_tokens, d.output_tokens, d.cost_micros
      FROM public.analytics_daily d;
    INSERT INTO public.analytics_latency_quarters
    SELECT l.workspace_id, (l.day + time '12:00') AT TIME ZONE 'UTC', l.bot_id, l.bucket, l.turns FROM public.analytics_latency l;
    EXECUTE format('SET LOCAL ROLE %I', migrator);
    SET LOCAL row_security = off;
END $$;
