-- What a workspace uses, and how much of it it may use.

-- Connections that count at once do so in rows of their own (slot), so that the calls of one workspace do not queue for a
-- row: the sum over the slots is the counter. A row has all metrics, as what is counted together is then one update.
CREATE TABLE usage_counters (
    workspace_id   uuid NOT NULL REFERENCES workspaces (id),
    month          date NOT NULL, -- its first day, in UTC; 0001-01-01 for storage, which does not begin anew
    slot           smallint NOT NULL,
    turns          bigint NOT NULL,
    tokens         bigint NOT NULL,
    messages       bigint NOT NULL,
    webhook_events bigint NOT NULL,
    storage_bytes  bigint NOT NULL,
    PRIMARY KEY (workspace_id, month, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

-- Limits of single workspaces, in place of the program's settings; 0: none. Operators write them (parley limits): there
-- is no call that does.
CREATE TABLE workspace_limits (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    metric       text NOT NULL CHECK (metric IN ('turns', 'tokens', 'messages', 'webhook_events', 'storage_bytes')),
    most         bigint NOT NULL CHECK (most BETWEEN 0 AND 1000000000000000000),
    PRIMARY KEY (workspace_id, metric)
);

-- What has been warned of: once a month.
CREATE TABLE usage_warnings (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    month        date NOT NULL,
    metric       text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, month, metric)
);

SELECT app.wall('usage_counters'), app.wall('workspace_limits'), app.wall('usage_warnings');
GRANT SELECT, INSERT, UPDATE ON usage_counters TO parley_app;
GRANT SELECT, INSERT, UPDATE (most), DELETE ON workspace_limits TO parley_app;
GRANT SELECT, INSERT ON usage_warnings TO parley_app;

-- What was used of a metric in a month; of storage: what is kept now.
CREATE FUNCTION app.used(workspace uuid, month date, metric text) RETURNS bigint
    LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(CASE metric WHEN 'turns' THEN c.turns WHEN 'tokens' THEN c.tokens WHEN 'messages' THEN c.messages
                                    WHEN 'webhook_events' THEN c.webhook_events WHEN 'storage_bytes' THEN c.storage_bytes END), 0)::bigint
      FROM public.usage_counters c
     WHERE c.workspace_id = workspace AND c.month = CASE metric WHEN 'storage_bytes' THEN '0001-01-01' ELSE used.month END
$$;

-- Counts what is used, in the statement that uses it: adding is {metric: amount}, where storage_bytes stands alone. limits
-- is {metric: most}, the program's settings, none where it is empty; those of the workspace go before them.
--
-- With refuse it raises PYLIM where a metric that is named has no room for its amount, or for one where that is 0. It looks
-- at what has been committed: calls one after another are held exactly, of calls at once each may find the same room.
-- Where 80 % of a limit are used, a job is queued that tells so, once a month. A transaction calls this once, so that
-- nobody waits in a circle.
CREATE FUNCTION app.use(workspace uuid, moment timestamptz, adding jsonb, limits jsonb, refuse boolean) RETURNS boolean
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
    m          record;
BEGIN
    IF limits <> '{}' OR EXISTS (SELECT FROM public.workspace_limits o WHERE o.workspace_id = workspace) THEN
        FOR m IN
            SELECT a.key AS metric, a.value::bigint AS adding, most.n AS most, app.used(workspace, this_month, a.key) AS used,
                   jsonb_build_object('metric', a.key, 'limit', most.n, 'month', to_char(this_month, 'YYYY-MM'), 'resets_at',
                       CASE WHEN a.key <> 'storage_bytes' THEN to_char(this_month + interval '1 month', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END) AS told
              FROM jsonb_each_text(adding) a
              LEFT JOIN public.workspace_limits o ON o.workspace_id = workspace AND o.metric = a.key
             CROSS JOIN LATERAL (SELECT nullif(coalesce(o.most, (limits ->> a.key)::bigint), 0) AS n) most
             WHERE most.n IS NOT NULL AND a.value::bigint >= 0
             ORDER BY a.key
        LOOP
            IF refuse AND m.used + greatest(m.adding, 1) > m.most THEN
                RAISE EXCEPTION 'the limit of % is reached', m.metric
                    USING ERRCODE = 'PYLIM', DETAIL = (m.told || jsonb_build_object('used', m.used))::text;
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
    END IF;
    -- The row is there but for the first time in a month, and an update is cheaper than an insert that meets a row.
    UPDATE public.usage_counters c
       SET turns = c.turns + n_turns, tokens = c.tokens + n_tokens, messages = c.messages + n_messages,
           webhook_events = c.webhook_events + n_events, storage_bytes = c.storage_bytes + n_bytes
     WHERE c.workspace_id = workspace AND c.month = its_month AND c.slot = its_slot;
    IF NOT FOUND THEN
        INSERT INTO public.usage_counters AS c VALUES (workspace, its_month, its_slot, n_turns, n_tokens, n_messages, n_events, n_bytes)
            ON CONFLICT (workspace_id, month, slot) DO UPDATE
           SET turns = c.turns + excluded.turns, tokens = c.tokens + excluded.tokens, messages = c.messages + excluded.messages,
               webhook_events = c.webhook_events + excluded.webhook_events, storage_bytes = c.storage_bytes + excluded.storage_bytes;
    END IF;
    RETURN true;
END $$;
REVOKE EXECUTE ON FUNCTION app.used(uuid, date, text), app.use(uuid, timestamptz, jsonb, jsonb, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.used(uuid, date, text), app.use(uuid, timestamptz, jsonb, jsonb, boolean) TO parley_app;
