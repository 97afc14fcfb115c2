-- As it was before: the functions of 000002, 000005, 000008, 000011, 000015, 000020 and 000022.
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
CREATE OR REPLACE FUNCTION app.expire_sealed_answers() RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH emptied AS (
        UPDATE public.operations SET body = NULL, content_type = NULL, location = NULL, etag = NULL
         WHERE sealed AND body IS NOT NULL AND finished_at < now() - interval '1 hour'
     RETURNING 1
    )
    SELECT count(*)::integer FROM emptied
$$;
REVOKE UPDATE (sealed) ON operations FROM parley_door;
CREATE OR REPLACE FUNCTION app.expire_operations(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    emptied integer;
    buried  integer;
BEGIN
    WITH old AS (
        SELECT o.workspace_id, o.actor_id, o.id FROM public.operations o
         WHERE o.created_at < now() - interval '7 days' AND o.finished_at < now() - interval '7 days' AND o.body IS NOT NULL
         LIMIT most FOR UPDATE SKIP LOCKED
    )
    UPDATE public.operations o SET body = NULL, content_type = NULL, location = NULL, etag = NULL
      FROM old WHERE (o.workspace_id, o.actor_id, o.id) = (old.workspace_id, old.actor_id, old.id);
    GET DIAGNOSTICS emptied = ROW_COUNT;
    WITH old AS (
        SELECT o.workspace_id, o.actor_id, o.id FROM public.operations o
         WHERE o.created_at < now() - interval '97 days' LIMIT most FOR UPDATE SKIP LOCKED
    )
    DELETE FROM public.operations o USING old WHERE (o.workspace_id, o.actor_id, o.id) = (old.workspace_id, old.actor_id, old.id);
    GET DIAGNOSTICS buried = ROW_COUNT;
    RETURN emptied + buried;
END $$;
DROP TABLE upkeep;
CREATE OR REPLACE FUNCTION app.claim_operation(workspace uuid, actor uuid, operation uuid, print bytea) RETURNS void
    LANGUAGE sql SET lock_timeout = '2s' AS $$
    INSERT INTO public.operations (workspace_id, actor_id, id, fingerprint) VALUES (workspace, actor, operation, print)
$$;
CREATE OR REPLACE FUNCTION app.find_session(session uuid) RETURNS TABLE (workspace_id uuid, user_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.workspace_id, s.user_id
      FROM public.sessions s
      JOIN public.workspace_members m ON m.workspace_id = s.workspace_id AND m.user_id = s.user_id
     WHERE s.id = session
$$;
CREATE OR REPLACE FUNCTION app.find_login(address text, wanted uuid)
    RETURNS TABLE (user_id uuid, password_hash text, operation_id uuid, workspace_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.id, u.password_hash, u.operation_id, found.workspace_id
      FROM public.users u
      LEFT JOIN LATERAL (
           SELECT m.workspace_id
             FROM public.workspace_members m
             JOIN public.workspaces w ON w.id = m.workspace_id
            WHERE m.user_id = u.id AND (wanted IS NULL OR m.workspace_id = wanted)
            ORDER BY w.deleted_at IS NOT NULL, m.created_at, m.workspace_id
            LIMIT 1) found ON true
     WHERE u.email = address
$$;
CREATE OR REPLACE FUNCTION app.memberships(after_at timestamptz, after_id uuid, most integer)
    RETURNS TABLE (workspace_id uuid, name text, role text, created_at timestamptz, joined_at timestamptz, deleted_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT w.id, w.name, m.role, w.created_at, m.created_at, w.deleted_at
      FROM public.workspace_members m
      JOIN public.workspaces w ON w.id = m.workspace_id
     WHERE m.user_id = nullif(current_setting('app.user_id', true), '')::uuid
       AND (w.deleted_at IS NULL OR m.role = 'owner')
       AND (after_at IS NULL OR (m.created_at, m.workspace_id) > (after_at, after_id))
     ORDER BY m.created_at, m.workspace_id
     LIMIT most
$$;
CREATE OR REPLACE FUNCTION app.find_webhook_endpoint(endpoint uuid)
    RETURNS TABLE (workspace_id uuid, status text, secrets jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.workspace_id, e.status, e.secrets
      FROM public.webhook_endpoints e
      JOIN public.workspaces w ON w.id = e.workspace_id AND w.deleted_at IS NULL
     WHERE e.id = endpoint AND e.deleted_at IS NULL
$$;
