-- An API key that is limited to some bots is held to them in every table that has data of a bot: not only where a row has a
-- bot_id, but also where its bot is that of its parent, or where rows of all bots are mixed and such a key needs none. The
-- big tables follow, a migration for each.

-- Whether the transaction's key sees a turn, and a webhook endpoint: as the policies of those tables have it.
CREATE FUNCTION app.sees_turn(turn uuid) RETURNS boolean
    LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM public.llm_turns t
                    WHERE t.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid AND t.id = turn)
$$;
CREATE FUNCTION app.sees_endpoint(endpoint uuid) RETURNS boolean
    LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM public.webhook_endpoints e
                    WHERE e.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid AND e.id = endpoint)
$$;

-- Keeps a key that is limited to some bots to rows for which a condition holds; it makes no others. For everybody else it
-- is one comparison.
CREATE FUNCTION app.keep_key_to(tab regclass, condition text) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format($policy$CREATE POLICY key_bots ON %1$s AS RESTRICTIVE TO parley_app
        USING (CASE WHEN coalesce(current_setting('app.bots', true), '') = '' THEN true ELSE %2$s END)$policy$, tab, condition);
END $$;

-- Closes a table to a key that is limited to some bots, where rows of all bots are mixed: it may add rows, as what it does
-- is audited and queued, and reads, changes and removes none. The program reads back what it adds in the same statement
-- (RETURNING) in the tables for which own says how such rows are known.
CREATE FUNCTION app.close_to_limited_keys(tab regclass, own text DEFAULT 'false') RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format($policy$CREATE POLICY key_bots ON %1$s AS RESTRICTIVE TO parley_app
        USING (CASE WHEN coalesce(current_setting('app.bots', true), '') = '' THEN true ELSE %2$s END) WITH CHECK (true)$policy$, tab, own);
END $$;
REVOKE EXECUTE ON FUNCTION app.sees_turn(uuid), app.sees_endpoint(uuid), app.keep_key_to(regclass, text), app.close_to_limited_keys(regclass, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.sees_turn(uuid), app.sees_endpoint(uuid) TO parley_app;

-- Calls go on meanwhile and lock these tables in orders of their own. So all are locked at once or none: what is locked
-- already is given back after half a second of waiting, before Postgres would find a deadlock.
DO $$
BEGIN
    PERFORM set_config('lock_timeout', '500ms', true);
    LOOP
        BEGIN
            LOCK TABLE turn_events, message_feedback, webhook_subscriptions, webhook_deliveries, webhook_attempts, dead_letter_queue, files, vectors;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    PERFORM set_config('lock_timeout', '0', true);
END $$;

SELECT app.keep_key_to('turn_events', 'app.sees_turn(turn_id)'),
       app.keep_key_to('message_feedback', 'app.sees_thread(thread_id)'),
       app.keep_key_to('webhook_subscriptions', 'endpoint_id IS NULL OR app.sees_endpoint(endpoint_id)'), -- an event of a bot looks for them
       app.close_to_limited_keys('webhook_deliveries', 'created_at = now()'), -- those of this transaction
       app.close_to_limited_keys('webhook_attempts'),
       app.close_to_limited_keys('dead_letter_queue'),
       app.close_to_limited_keys('files'),
       app.close_to_limited_keys('vectors');
