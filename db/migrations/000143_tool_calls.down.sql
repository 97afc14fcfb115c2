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
CREATE OR REPLACE FUNCTION app.abandoned_turns(most integer)
 RETURNS TABLE(workspace_id uuid, thread_id uuid, actor_id uuid, operation_id uuid, attempt integer)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT t.workspace_id, t.thread_id, t.actor_id, t.operation_id, t.attempt
      FROM (SELECT a.workspace_id, a.thread_id, a.actor_id, a.operation_id, a.attempt, a.lease_until,
                   row_number() OVER (PARTITION BY a.workspace_id ORDER BY a.lease_until) AS place
              FROM public.llm_turns a
             WHERE a.finished_at IS NULL AND a.lease_until < now()) t
     ORDER BY t.place, t.lease_until
     LIMIT most
$function$;
DROP TRIGGER llm_turns_close_tool_calls ON llm_turns;
DROP FUNCTION app.close_tool_calls();
DROP TABLE tool_calls;
ALTER TABLE llm_turns DROP COLUMN waiting, DROP COLUMN waits, DROP COLUMN tool_steps, DROP COLUMN tools, DROP COLUMN spent;
