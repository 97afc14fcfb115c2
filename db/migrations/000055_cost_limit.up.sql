-- What turns on the operator's keys cost, in millionths of the currency of the prices, counts towards a limit of its own.
ALTER TABLE usage_counters ADD COLUMN cost_micros bigint NOT NULL DEFAULT 0;

-- A new check reads the table.
ALTER TABLE workspace_limits NO FORCE ROW LEVEL SECURITY;
ALTER TABLE workspace_limits DROP CONSTRAINT workspace_limits_metric_check, ADD CONSTRAINT workspace_limits_metric_check
    CHECK (metric IN ('turns', 'tokens', 'messages', 'webhook_events', 'storage_bytes', 'bots', 'members', 'api_keys', 'webhook_subscriptions', 'cost_micros'));
ALTER TABLE workspace_limits FORCE ROW LEVEL SECURITY;

CREATE OR REPLACE FUNCTION app.used(workspace uuid, month date, metric text) RETURNS bigint
    LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(CASE metric WHEN 'turns' THEN c.turns WHEN 'tokens' THEN c.tokens WHEN 'messages' THEN c.messages
                                    WHEN 'webhook_events' THEN c.webhook_events WHEN 'storage_bytes' THEN c.storage_bytes
                                    WHEN 'cost_micros' THEN c.cost_micros END), 0)::bigint
      FROM public.usage_counters c
     WHERE c.workspace_id = workspace AND c.month = CASE metric WHEN 'storage_bytes' THEN '0001-01-01' ELSE used.month END
$$;

-- Counts what is used, as before (000024), and costs too. They are refused where what running turns have reserved leaves no
-- room, unless the workspace has keys of its own, which may be what the turn asks with: then it is app.reserve_cost that
-- refuses. The result says whether the workspace has limits of its own.
CREATE OR REPLACE FUNCTION app.use(workspace uuid, moment timestamptz, adding jsonb, limits jsonb, refuse boolean) RETURNS boolean
    LANGUAGE plpgsql AS $$
DECLARE
    this_month date := date_trunc('month', moment AT TIME ZONE 'UTC');
    its_month  date := CASE WHEN adding ? 'storage_bytes' THEN '0001-01-01' ELSE this_month END;
    -- The slot is the connection's: two that count at once have different ones, mostly, and one always hits the same row.
    its_slot   smallint := pg_backend_pid() % 32;
    n_turns    bigint := coalesce((adding ->> 'turns')::bigint, 0);
    n_tokens   bigint := coalesce((adding ->> 'tokens')::bigint, 0);
    n_messages bigint := coalesce((adding ->> 'messages')::bigint, 0);
    n_events   bigint := coalesce((adding ->> 'webhook_events')::bigint, 0);
    n_bytes    bigint := coalesce((adding ->> 'storage_bytes')::bigint, 0);
    n_cost     bigint := coalesce((adding ->> 'cost_micros')::bigint, 0);
    limited    boolean;
    m          record;
BEGIN
    -- The row is there but for the first time in a month, and an update is cheaper than an insert that meets a row.
    UPDATE public.usage_counters c
       SET turns = c.turns + n_turns, tokens = c.tokens + n_tokens, messages = c.messages + n_messages,
           webhook_events = c.webhook_events + n_events, storage_bytes = c.storage_bytes + n_bytes, cost_micros = c.cost_micros + n_cost
     WHERE c.workspace_id = workspace AND c.month = its_month AND c.slot = its_slot
    RETURNING EXISTS (SELECT FROM public.workspace_limits o WHERE o.workspace_id = workspace) INTO limited;
    IF NOT FOUND THEN
        INSERT INTO public.usage_counters AS c (workspace_id, month, slot, turns, tokens, messages, webhook_events, storage_bytes, cost_micros)
        VALUES (workspace, its_month, its_slot, n_turns, n_tokens, n_messages, n_events, n_bytes, n_cost)
            ON CONFLICT (workspace_id, month, slot) DO UPDATE
           SET turns = c.turns + excluded.turns, tokens = c.tokens + excluded.tokens, messages = c.messages + excluded.messages,
               webhook_events = c.webhook_events + excluded.webhook_events, storage_bytes = c.storage_bytes + excluded.storage_bytes,
               cost_micros = c.cost_micros + excluded.cost_micros
        RETURNING EXISTS (SELECT FROM public.workspace_limits o WHERE o.workspace_id = workspace) INTO limited;
    END IF;
    IF limits = '{}' AND NOT limited THEN
        RETURN false;
    END IF;
    FOR m IN
        SELECT a.key AS metric, a.value::bigint AS adding, most.n AS most, app.used(workspace, this_month, a.key) - a.value::bigint AS used,
               CASE WHEN a.key = 'cost_micros' AND refuse THEN app.reserved_cost(workspace, NULL) ELSE 0 END AS reserved,
               jsonb_build_object('metric', a.key, 'limit', most.n, 'month', to_char(this_month, 'YYYY-MM'), 'resets_at',
                   CASE WHEN a.key <> 'storage_bytes' THEN to_char(this_month + interval '1 month', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END) AS told
          FROM jsonb_each_text(adding) a
          LEFT JOIN public.workspace_limits o ON o.workspace_id = workspace AND o.metric = a.key
         CROSS JOIN LATERAL (SELECT nullif(coalesce(o.most, (limits ->> a.key)::bigint), 0) AS n) most
         WHERE most.n IS NOT NULL AND a.value::bigint >= 0
           AND NOT (a.key = 'cost_micros' AND refuse AND EXISTS (SELECT FROM public.model_keys k WHERE k.workspace_id = workspace))
         ORDER BY a.key
    LOOP
        IF refuse AND m.used + m.reserved + greatest(m.adding, 1) > m.most THEN
            RAISE EXCEPTION 'the limit of % is reached', m.metric
                USING ERRCODE = 'PYLIM', DETAIL = (m.told || jsonb_build_object('used', m.used) || CASE WHEN m.reserved > 0 THEN jsonb_build_object('reserved', m.reserved) ELSE '{}' END)::text;
        END IF;
        IF m.used + m.adding >= m.most * 0.8 THEN
            INSERT INTO public.usage_warnings (workspace_id, month, metric) VALUES (workspace, this_month, m.metric)
                ON CONFLICT DO NOTHING;
            IF FOUND THEN
                INSERT INTO public.job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts)
                VALUES (workspace, app.uuid_v7(), 'limit.warn', m.metric || ' ' || this_month,
                        m.told || jsonb_build_object('used', m.used + m.adding), 'limit-warning', 20);
                PERFORM pg_notify('parley_jobs', '');
            END IF;
        END IF;
    END LOOP;
    RETURN limited;
END $$;

-- Reserves what an attempt at a turn may cost, in place of what it has reserved before, so that turns that run at once never
-- reserve more than a limit has left; most is the program's setting, 0 for none. Raises PYLIM where there is no room, and PY404
-- where the attempt does not run any more. Spent and reserved are read by one query, as the end of a turn makes the one of the
-- other. It is to be called for the whole workspace: an API key that is limited to some bots does not see the turns of others.
CREATE FUNCTION app.reserve_cost(workspace uuid, turn uuid, its_attempt integer, amount bigint, moment timestamptz, most bigint) RETURNS boolean
    LANGUAGE plpgsql AS $$
DECLARE
    this_month date := date_trunc('month', moment AT TIME ZONE 'UTC');
    its_limit  bigint := coalesce((SELECT o.most FROM public.workspace_limits o
                                    WHERE o.workspace_id = workspace AND o.metric = 'cost_micros'), reserve_cost.most);
    spent      bigint;
    reserved   bigint;
BEGIN
    IF its_limit = 0 THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('cost_micros of ' || workspace, 0));
    SELECT app.used(workspace, this_month, 'cost_micros'), app.reserved_cost(workspace, turn) INTO spent, reserved;
    IF spent + reserved + amount > its_limit THEN
        RAISE EXCEPTION 'the limit of cost_micros is reached' USING ERRCODE = 'PYLIM',
            DETAIL = jsonb_build_object('metric', 'cost_micros', 'limit', its_limit, 'used', spent, 'reserved', reserved, 'needed', amount,
                'resets_at', to_char(this_month + interval '1 month', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))::text;
    END IF;
    UPDATE public.llm_turns t SET reserved_micros = amount
     WHERE t.workspace_id = workspace AND t.id = turn AND t.attempt = its_attempt AND t.finished_at IS NULL;
    PERFORM app.require(FOUND, 'turn');
    RETURN true;
END $$;
REVOKE EXECUTE ON FUNCTION app.reserve_cost(uuid, uuid, integer, bigint, timestamptz, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.reserve_cost(uuid, uuid, integer, bigint, timestamptz, bigint) TO parley_app;
