CREATE OR REPLACE FUNCTION app.roll_up_analytics(most integer, bounds integer[])
 RETURNS integer
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION app.take_analytics(most integer)
 RETURNS TABLE(batch uuid, workspace_id uuid, id bigint, kind text, count integer, messages integer, at timestamp with time zone, bot_id uuid, provider text, model text, input_tokens bigint, output_tokens bigint, cost_micros bigint, latency_ms integer)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
END $function$;

DROP FUNCTION app.remove_old_usage(text, date, integer);
DROP POLICY old_look ON usage_warnings;
DROP POLICY old ON usage_warnings;
DROP POLICY old_look ON usage_counters;
DROP POLICY old ON usage_counters;
REVOKE SELECT ON usage_counters, usage_warnings FROM parley_door;
GRANT SELECT (workspace_id) ON usage_counters, usage_warnings TO parley_door;
ALTER TABLE workspace_retention DROP COLUMN usage_before;
