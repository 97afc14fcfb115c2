-- An installation from before usage was counted begins with what it has used: turns, tokens, messages and webhook events of
-- this month, and the bytes of its files. Where anything has been counted, nothing is added. Rows are read as the program
-- reads them, one workspace after the other, so that no table has to be locked against row-level security.
DO $$
DECLARE
    migrator   text := current_user;
    this_month date := date_trunc('month', now() AT TIME ZONE 'UTC');
    since      timestamptz := this_month::timestamp AT TIME ZONE 'UTC';
    ids        uuid[];
    workspace  uuid;
    before     text := current_setting('app.workspace_id', true);
BEGIN
    SET LOCAL row_security = on;
    SET LOCAL ROLE parley_door;
    SELECT array_agg(w.id) INTO ids FROM public.workspaces w;
    SET LOCAL ROLE parley_app;
    FOREACH workspace IN ARRAY coalesce(ids, '{}') LOOP
        PERFORM set_config('app.workspace_id', workspace::text, true);
        CONTINUE WHEN EXISTS (SELECT FROM public.usage_counters c WHERE c.workspace_id = workspace);
        INSERT INTO public.usage_counters (workspace_id, month, slot, turns, tokens, messages, webhook_events, storage_bytes)
        SELECT workspace, this_month, 0, t.turns, t.tokens,
               (SELECT count(*) FROM public.messages m WHERE m.workspace_id = workspace AND m.created_at >= since),
               (SELECT count(*) FROM public.webhook_events e WHERE e.workspace_id = workspace AND e.received_at >= since), 0
          FROM (SELECT count(*) AS turns, coalesce(sum(coalesce(l.input_tokens, 0) + coalesce(l.output_tokens, 0)), 0) AS tokens
                  FROM public.llm_turns l WHERE l.workspace_id = workspace AND l.created_at >= since) t
        UNION ALL
        SELECT workspace, '0001-01-01', 0, 0, 0, 0, 0, coalesce(sum(f.size), 0) FROM public.files f WHERE f.workspace_id = workspace;
    END LOOP;
    PERFORM set_config('app.workspace_id', coalesce(before, ''), true);
    EXECUTE format('SET LOCAL ROLE %I', migrator);
    SET LOCAL row_security = off;
END $$;

-- The version of an operation's fingerprint: 1 is over the bytes of the body, 2 over its canonical JSON. The function with
-- four arguments stays for the release before, which stores version 1.
ALTER TABLE operations ADD COLUMN fingerprint_version smallint NOT NULL DEFAULT 1;

CREATE FUNCTION app.claim_operation(workspace uuid, actor uuid, operation uuid, print bytea, version smallint) RETURNS void
    LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
BEGIN
    INSERT INTO public.operations (workspace_id, actor_id, id, fingerprint, fingerprint_version)
    VALUES (workspace, actor, operation, print, version);
END $$;
