-- Before which day (UTC) a workspace keeps no usage and no statistics: what happened before and waits in the outbox, or comes into it later, is
-- not counted. It only grows. Null: everything is counted.
ALTER TABLE workspace_retention ADD COLUMN usage_before date;
GRANT SELECT (usage_before) ON workspace_retention TO parley_door;

-- Counters of months that are over may go, but neither those of the current month, which limits are held by, nor that of storage, of no month.
GRANT SELECT ON usage_counters, usage_warnings TO parley_door;
CREATE POLICY old ON usage_counters FOR DELETE TO parley_door
    USING (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid
           AND month > '0001-01-01' AND month < date_trunc('month', now() AT TIME ZONE 'UTC'));
CREATE POLICY old_look ON usage_counters FOR SELECT TO parley_door
    USING (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid
           AND month > '0001-01-01' AND month < date_trunc('month', now() AT TIME ZONE 'UTC'));
CREATE POLICY old ON usage_warnings FOR DELETE TO parley_door
    USING (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid AND month < date_trunc('month', now() AT TIME ZONE 'UTC'));
CREATE POLICY old_look ON usage_warnings FOR SELECT TO parley_door
    USING (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid AND month < date_trunc('month', now() AT TIME ZONE 'UTC'));

-- Removes rows of a kind of the transaction's workspace from before a day (UTC), max_rows at the most, and never of the current month. It returns
-- how many it removed, and whether there may be more. The outbox is to be emptied first, after usage_before was committed: an export that does
-- not know it yet has locked its rows, and is waited for.
CREATE FUNCTION app.remove_old_usage(kind text, before date, max_rows integer, OUT removed integer, OUT more boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    workspace constant uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    bound     constant date := least(before, date_trunc('month', now() AT TIME ZONE 'UTC')::date);
    since     constant timestamptz := bound::timestamp AT TIME ZONE 'UTC';
    old       tid[];
BEGIN
    CASE kind
    WHEN 'outbox' THEN
        old := ARRAY(SELECT o.ctid FROM public.analytics_outbox o WHERE o.workspace_id = workspace AND o.at < since AND o.batch IS NULL ORDER BY o.id LIMIT max_rows);
        DELETE FROM public.analytics_outbox o WHERE o.workspace_id = workspace AND o.at < since AND o.batch IS NULL AND o.ctid = ANY (old);
    WHEN 'daily' THEN
        old := ARRAY(SELECT d.ctid FROM public.analytics_daily d WHERE d.workspace_id = workspace AND d.day < bound ORDER BY d.day LIMIT max_rows);
        DELETE FROM public.analytics_daily d WHERE d.workspace_id = workspace AND d.day < bound AND d.ctid = ANY (old);
    WHEN 'latency' THEN
        old := ARRAY(SELECT l.ctid FROM public.analytics_latency l WHERE l.workspace_id = workspace AND l.day < bound ORDER BY l.day LIMIT max_rows);
        DELETE FROM public.analytics_latency l WHERE l.workspace_id = workspace AND l.day < bound AND l.ctid = ANY (old);
    WHEN 'quarters' THEN
        old := ARRAY(SELECT q.ctid FROM public.analytics_quarters q WHERE q.workspace_id = workspace AND q.quarter < since ORDER BY q.quarter LIMIT max_rows);
        DELETE FROM public.analytics_quarters q WHERE q.workspace_id = workspace AND q.quarter < since AND q.ctid = ANY (old);
    WHEN 'latency_quarters' THEN
        old := ARRAY(SELECT l.ctid FROM public.analytics_latency_quarters l WHERE l.workspace_id = workspace AND l.quarter < since ORDER BY l.quarter LIMIT max_rows);
        DELETE FROM public.analytics_latency_quarters l WHERE l.workspace_id = workspace AND l.quarter < since AND l.ctid = ANY (old);
    WHEN 'warnings' THEN
        old := ARRAY(SELECT w.ctid FROM public.usage_warnings w WHERE w.workspace_id = workspace AND w.month < bound ORDER BY w.month LIMIT max_rows);
        DELETE FROM public.usage_warnings w WHERE w.workspace_id = workspace AND w.month < bound AND w.ctid = ANY (old);
    WHEN 'counters' THEN
        old := ARRAY(SELECT c.ctid FROM public.usage_counters c
                      WHERE c.workspace_id = workspace AND c.month > '0001-01-01' AND c.month < bound ORDER BY c.month LIMIT max_rows);
        DELETE FROM public.usage_counters c WHERE c.workspace_id = workspace AND c.month > '0001-01-01' AND c.month < bound AND c.ctid = ANY (old);
    END CASE;
    GET DIAGNOSTICS removed = ROW_COUNT;
    more := cardinality(old) = max_rows;
END $$;

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
    ), kept AS ( -- retention has closed the time before
        SELECT t.* FROM taken t LEFT JOIN public.workspace_retention r ON r.workspace_id = t.workspace_id
         WHERE r.usage_before IS NULL OR t.day >= r.usage_before
    ), summed AS (
        INSERT INTO public.analytics_daily AS d
        SELECT t.workspace_id, t.day, t.bot_id,
               coalesce(sum(t.count) FILTER (WHERE t.kind IN ('completed', 'failed', 'cancelled')), 0),
               coalesce(sum(t.count) FILTER (WHERE t.kind = 'completed'), 0), coalesce(sum(t.count) FILTER (WHERE t.kind = 'failed'), 0),
               sum(t.messages),
               coalesce(sum(t.count) FILTER (WHERE t.kind = 'webhook_event'), 0), coalesce(sum(t.count) FILTER (WHERE t.kind = 'audit'), 0),
               sum(t.input_tokens), sum(t.output_tokens), sum(t.cost_micros)
          FROM kept t GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 -- in one order, so that two of these wait for each other and no more
            ON CONFLICT (workspace_id, day, bot_id) DO UPDATE
           SET turns = d.turns + excluded.turns, completed = d.completed + excluded.completed, failed = d.failed + excluded.failed,
               messages = d.messages + excluded.messages, webhook_events = d.webhook_events + excluded.webhook_events,
               audit_entries = d.audit_entries + excluded.audit_entries, input_tokens = d.input_tokens + excluded.input_tokens,
               output_tokens = d.output_tokens + excluded.output_tokens, cost_micros = d.cost_micros + excluded.cost_micros
    ), timed AS (
        INSERT INTO public.analytics_latency AS l
        SELECT t.workspace_id, t.day, t.bot_id, t.bucket, sum(t.count) FROM kept t WHERE t.latency_ms IS NOT NULL
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
          FROM kept t GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            ON CONFLICT (workspace_id, quarter, bot_id) DO UPDATE
           SET turns = d.turns + excluded.turns, completed = d.completed + excluded.completed, failed = d.failed + excluded.failed,
               messages = d.messages + excluded.messages, webhook_events = d.webhook_events + excluded.webhook_events,
               audit_entries = d.audit_entries + excluded.audit_entries, input_tokens = d.input_tokens + excluded.input_tokens,
               output_tokens = d.output_tokens + excluded.output_tokens, cost_micros = d.cost_micros + excluded.cost_micros
    ), timed_quarters AS (
        INSERT INTO public.analytics_latency_quarters AS l
        SELECT t.workspace_id, t.quarter, t.bot_id, t.bucket, sum(t.count) FROM kept t WHERE t.latency_ms IS NOT NULL
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
    all_closed boolean; -- of the rows that were looked at
BEGIN
    IF taken IS NULL THEN
        taken := app.uuid_v7();
        LOOP
            WITH free AS (
                SELECT f.workspace_id, f.id, f.at < r.usage_before::timestamp AT TIME ZONE 'UTC' AS closed
                  FROM public.analytics_outbox f LEFT JOIN public.workspace_retention r ON r.workspace_id = f.workspace_id
                 WHERE f.batch IS NULL LIMIT most FOR UPDATE OF f SKIP LOCKED
            ), dropped AS (
                DELETE FROM public.analytics_outbox o USING free WHERE free.closed AND o.workspace_id = free.workspace_id AND o.id = free.id
            ), fixed AS (
                UPDATE public.analytics_outbox o SET batch = taken
                  FROM free WHERE free.closed IS NOT TRUE AND o.workspace_id = free.workspace_id AND o.id = free.id
             RETURNING 1
            )
            SELECT (SELECT count(*) FROM free) > 0 AND (SELECT count(*) FROM fixed) = 0 INTO all_closed;
            EXIT WHEN NOT all_closed;
        END LOOP;
    END IF;
    RETURN QUERY
    SELECT o.batch, o.workspace_id, o.id, o.kind, o.count, o.messages, o.at, o.bot_id, o.provider, o.model,
           o.input_tokens, o.output_tokens, o.cost_micros, o.latency_ms
      FROM public.analytics_outbox o WHERE o.batch = taken ORDER BY o.workspace_id, o.id;
END $function$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.remove_old_usage(text, date, integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.remove_old_usage(text, date, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.remove_old_usage(text, date, integer) TO parley_app;
