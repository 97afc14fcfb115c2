-- API keys may be limited: requests, turns, tokens and costs in a minute, a day and a month of UTC, counted as those of end users are.
ALTER TABLE api_keys ADD COLUMN limits jsonb; -- metric: {period: limit}; null: none
ALTER TABLE caller_counts DROP CONSTRAINT caller_counts_metric_check, DROP CONSTRAINT caller_counts_period_check;
ALTER TABLE caller_counts ADD CONSTRAINT caller_counts_metric_check CHECK (metric IN ('requests', 'turns', 'tokens', 'cost_micros')) NOT VALID, -- what is there was checked more strictly
                          ADD CONSTRAINT caller_counts_period_check CHECK (period IN ('minute', 'day', 'month')) NOT VALID;

-- Counts a turn that an API key begins. Raises PYRAT where its limits allow no more turns, or its tokens or costs are used up.
CREATE FUNCTION app.begin_turn_of_key(workspace uuid, its_key uuid, limits jsonb, moment timestamptz) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    metrics text;
    wait    numeric;
BEGIN
    PERFORM app.count_for_caller(workspace, its_key, 'turns', coalesce(limits -> 'turns', '{}'), moment);
    SELECT string_agg(DISTINCT c.metric, ', '), max(extract(epoch FROM date_trunc(c.period, moment, 'UTC') + ('1 ' || c.period)::interval - moment)) INTO metrics, wait
      FROM public.caller_counts c
     WHERE c.workspace_id = workspace AND c.caller_id = its_key AND c.metric IN ('tokens', 'cost_micros')
       AND c.used >= (limits -> c.metric ->> c.period)::bigint AND c.began_at >= date_trunc(c.period, moment, 'UTC');
    IF wait IS NOT NULL THEN
        RAISE EXCEPTION 'too many %', metrics USING ERRCODE = 'PYRAT', DETAIL = greatest(1, ceil(wait))::bigint::text;
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION app.begin_turn_of_key(uuid, uuid, jsonb, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.begin_turn_of_key(uuid, uuid, jsonb, timestamptz) TO parley_app;

-- Adds what a turn of a caller has used to each period that has a limit. It refuses nothing: what is used is used.
CREATE FUNCTION app.use_for_caller(workspace uuid, caller uuid, limits jsonb, tokens bigint, micros bigint, moment timestamptz) RETURNS void
    LANGUAGE sql AS $$
    INSERT INTO public.caller_counts AS c (workspace_id, caller_id, metric, period, began_at, used)
    SELECT workspace, caller, u.metric, l.key, date_trunc(l.key, moment, 'UTC'), u.amount
      FROM (VALUES ('cost_micros', micros), ('tokens', tokens)) u (metric, amount), jsonb_each_text(limits -> u.metric) l
     WHERE u.amount > 0
     ORDER BY u.metric, l.key -- turns that end at once wait for each other in one order
        ON CONFLICT (workspace_id, caller_id, metric, period) DO UPDATE
       SET used = CASE WHEN c.began_at = excluded.began_at THEN c.used + excluded.used WHEN c.began_at > excluded.began_at THEN c.used ELSE excluded.used END,
           began_at = greatest(c.began_at, excluded.began_at);
$$;
REVOKE EXECUTE ON FUNCTION app.use_for_caller(uuid, uuid, jsonb, bigint, bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.use_for_caller(uuid, uuid, jsonb, bigint, bigint, timestamptz) TO parley_app;
