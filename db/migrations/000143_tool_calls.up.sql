-- Calls of tools that turns make. A turn whose calls wait for a person or a client runs, but no process runs it: its lease ends when they
-- expire, and is given back when they are decided.
ALTER TABLE llm_turns
    ADD COLUMN waiting boolean NOT NULL DEFAULT false,
    ADD COLUMN waits smallint NOT NULL DEFAULT 0,      -- how often it has waited: each time another attempt goes on
    ADD COLUMN tool_steps smallint NOT NULL DEFAULT 0, -- answers of the model that called tools
    ADD COLUMN tools jsonb,                            -- that it may call, with their versions, once it has called any
    ADD COLUMN spent jsonb;                            -- usage of the steps, which is counted already

CREATE TABLE tool_calls (
    workspace_id uuid NOT NULL,
    id           uuid NOT NULL,
    turn_id      uuid NOT NULL,
    thread_id    uuid NOT NULL,
    step         smallint NOT NULL CHECK (step >= 1),  -- of the turn
    place        smallint NOT NULL CHECK (place >= 0), -- in the step
    said         text NOT NULL,                        -- by the model before the calls of the step; of the first one only
    model_id     text NOT NULL,                        -- by which the model names the call
    name         text NOT NULL,                        -- as the model has sent it
    tool_id      uuid,                                 -- NULL: there is no such tool
    tool_version integer,
    kind         text NOT NULL,
    effect       text NOT NULL CHECK (effect IN ('read', 'write')),
    repeatable   boolean NOT NULL,                     -- its target recognizes a repetition
    arguments    jsonb NOT NULL,
    status       text NOT NULL CHECK (status IN ('waiting', 'approved', 'denied', 'expired', 'running', 'succeeded', 'failed', 'unknown', 'cancelled')),
    result       text,
    attempt      integer NOT NULL DEFAULT 0,           -- how often it was sent
    decided_by   uuid,
    decided_at   timestamptz,
    reason       text,                                 -- of the decision
    expires_at   timestamptz,                          -- of one that waits, or has waited
    created_at   timestamptz NOT NULL,
    started_at   timestamptz,
    finished_at  timestamptz,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, turn_id, step, place),
    CHECK ((status IN ('waiting', 'approved', 'running')) = (finished_at IS NULL)),
    FOREIGN KEY (workspace_id, turn_id) REFERENCES llm_turns (workspace_id, id)
);
CREATE INDEX tool_calls_by_status ON tool_calls (workspace_id, status, id);
SELECT app.wall('tool_calls'), app.keep_key_to('tool_calls', 'app.sees_turn(turn_id)'), app.keep_to_owner('tool_calls', 'app.owns_turn(turn_id)'),
       app.let_erase('tool_calls');
GRANT SELECT, INSERT ON tool_calls TO parley_app;
GRANT UPDATE (status, arguments, result, attempt, decided_by, decided_at, reason, started_at, finished_at) ON tool_calls TO parley_app;
GRANT SELECT, DELETE ON tool_calls TO parley_door;
GRANT UPDATE (status, finished_at) ON tool_calls TO parley_door;

-- A turn that ends leaves no call open. Whether a write that ran has reached its target is unknown.
CREATE FUNCTION app.close_tool_calls() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.tool_calls c
       SET status = CASE WHEN c.status = 'running' AND c.effect = 'write' THEN 'unknown' ELSE 'cancelled' END, finished_at = new.finished_at
     WHERE c.workspace_id = new.workspace_id AND c.turn_id = new.id AND c.finished_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER llm_turns_close_tool_calls AFTER UPDATE OF finished_at ON llm_turns FOR EACH ROW
    WHEN (new.tool_steps > 0 AND new.finished_at IS NOT NULL AND old.finished_at IS NULL) EXECUTE FUNCTION app.close_tool_calls();

-- An attempt that begins because the turn has waited is none of those after which a turn is given up.
CREATE OR REPLACE FUNCTION app.abandoned_turns(most integer)
    RETURNS TABLE (workspace_id uuid, thread_id uuid, actor_id uuid, operation_id uuid, attempt integer)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.workspace_id, t.thread_id, t.actor_id, t.operation_id, t.attempt
      FROM (SELECT a.workspace_id, a.thread_id, a.actor_id, a.operation_id, a.attempt - a.waits AS attempt, a.lease_until,
                   row_number() OVER (PARTITION BY a.workspace_id ORDER BY a.lease_until) AS place
              FROM public.llm_turns a
             WHERE a.finished_at IS NULL AND a.lease_until < now()) t
     ORDER BY t.place, t.lease_until
     LIMIT most
$$;

CREATE OR REPLACE FUNCTION app.erase_turns(turns uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    workspace constant uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    t         record;
    first_id  uuid; -- of the events from the time of the turn
    last_id   uuid;
BEGIN
    PERFORM FROM public.llm_turns l WHERE l.workspace_id = workspace AND l.id = ANY (turns) ORDER BY l.id FOR UPDATE;
    PERFORM FROM public.messages m WHERE m.workspace_id = workspace AND m.turn_id = ANY (turns) ORDER BY m.id FOR UPDATE;
    DELETE FROM public.message_feedback f USING public.messages m
     WHERE m.workspace_id = workspace AND m.turn_id = ANY (turns) AND f.workspace_id = workspace AND f.thread_id = m.thread_id AND f.seq = m.seq;
    DELETE FROM public.turn_events e WHERE e.workspace_id = workspace AND e.turn_id = ANY (turns);
    DELETE FROM public.retrievals r WHERE r.workspace_id = workspace AND r.turn_id = ANY (turns);
    DELETE FROM public.tool_calls c WHERE c.workspace_id = workspace AND c.turn_id = ANY (turns);
    DELETE FROM public.retrieved_documents r WHERE r.workspace_id = workspace AND r.turn_id = ANY (turns);

    UPDATE public.operations o SET body = NULL, finished_at = coalesce(o.finished_at, now()), status = coalesce(o.status, 404)
      FROM public.llm_turns l
     WHERE l.workspace_id = workspace AND l.id = ANY (turns) AND o.workspace_id = workspace AND o.actor_id = l.actor_id AND o.id = l.operation_id;
    UPDATE public.operations o SET body = NULL -- of other operations on these turns, and of ratings of their messages
      FROM public.audit_log a
     WHERE a.workspace_id = workspace AND a.resource_id IN (
               SELECT l.thread_id FROM public.llm_turns l WHERE l.workspace_id = workspace AND l.id = ANY (turns)
                UNION ALL
               SELECT m.id FROM public.messages m WHERE m.workspace_id = workspace AND m.turn_id = ANY (turns))
       AND (a.resource_type = 'message' OR a.changes ->> 'turn_id' = ANY (turns::text[]))
       AND o.workspace_id = workspace AND o.actor_id = coalesce(app.end_user_of(a.changes), a.user_id, a.api_key_id) AND o.id = a.operation_id AND o.body IS NOT NULL;

    FOR t IN
        SELECT l.id::text AS id, l.operation_id::text AS operation, l.created_at, coalesce(l.finished_at, now()) AS ended
          FROM public.llm_turns l WHERE l.workspace_id = workspace AND l.id = ANY (turns)
    LOOP
        first_id := (lpad(to_hex(floor(extract(epoch FROM t.created_at - interval '1 minute') * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
        last_id := (lpad(to_hex(floor(extract(epoch FROM t.ended + interval '1 minute') * 1000)::bigint), 12, '0') || repeat('f', 20))::uuid;
        UPDATE public.webhook_deliveries d
           SET erased_at = now(), body = CASE d.body WHEN 'null' THEN 'null' ELSE app.without_texts(d.body) END
         WHERE d.workspace_id = workspace AND d.event_id BETWEEN first_id AND last_id AND d.erased_at IS NULL
           AND (strpos(d.body, t.id) > 0 OR EXISTS (
               SELECT FROM public.event_bodies b WHERE b.workspace_id = workspace AND b.event_id = d.event_id
                  AND (strpos(b.body, t.id) > 0 OR strpos(b.body, t.operation) > 0)));
        UPDATE public.webhook_attempts a SET response = ''
          FROM public.webhook_deliveries d
         WHERE d.workspace_id = workspace AND d.event_id BETWEEN first_id AND last_id AND d.erased_at IS NOT NULL
           AND a.workspace_id = workspace AND a.delivery_id = d.id AND a.response <> '';
        UPDATE public.event_bodies b SET body = app.without_texts(b.body)
         WHERE b.workspace_id = workspace AND b.event_id BETWEEN first_id AND last_id AND (strpos(b.body, t.id) > 0 OR strpos(b.body, t.operation) > 0);
    END LOOP;

    -- A message that was received stays known by the id of its sender, so that it is not taken once more.
    UPDATE public.webhook_events e
       SET payload = '{}', body = NULL, conversation_id = NULL, thread_id = NULL, turn_id = NULL,
           status = CASE e.status WHEN 'received' THEN 'ignored' ELSE e.status END
     WHERE e.workspace_id = workspace AND e.turn_id = ANY (turns);
    UPDATE public.webhook_events e -- its turn failed, and its job waits or was given up
       SET payload = '{}', body = NULL, conversation_id = NULL, status = CASE e.status WHEN 'received' THEN 'ignored' ELSE e.status END
      FROM (SELECT l.operation_id, j.payload ->> 'event_id' AS event
              FROM public.llm_turns l JOIN public.job_queue j ON j.workspace_id = workspace AND j.kind = 'webhook.answer' AND j.key = l.operation_id::text
             WHERE l.workspace_id = workspace AND l.id = ANY (turns)
             UNION ALL
            SELECT l.operation_id, d.payload ->> 'event_id'
              FROM public.llm_turns l JOIN public.dead_letter_queue d ON d.workspace_id = workspace AND d.kind = 'webhook.answer' AND d.key = l.operation_id::text
             WHERE l.workspace_id = workspace AND l.id = ANY (turns)) waiting
     WHERE e.workspace_id = workspace AND e.id = waiting.event::uuid AND e.operation_id = waiting.operation_id;
    UPDATE public.job_queue j SET errors = '[]'
      FROM public.llm_turns l
     WHERE l.workspace_id = workspace AND l.id = ANY (turns)
       AND j.workspace_id = workspace AND j.kind = 'webhook.answer' AND j.key = l.operation_id::text AND j.errors <> '[]';
    DELETE FROM public.dead_letter_queue d
     USING public.llm_turns l
     WHERE l.workspace_id = workspace AND l.id = ANY (turns)
       AND d.workspace_id = workspace AND d.kind = 'webhook.answer' AND d.key = l.operation_id::text;
END $function$;
