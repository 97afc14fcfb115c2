CREATE OR REPLACE FUNCTION app.roll_up_analytics(most integer, bounds integer[]) RETURNS integer
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

DROP TABLE analytics_latency_quarters;
DROP TABLE analytics_quarters;
