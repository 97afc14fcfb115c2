-- What erasing messages and threads does, in every table that has something of what was said.

-- Calls go on meanwhile and lock these tables in orders of their own: all are locked at once or none.
DO $$
BEGIN
    PERFORM set_config('lock_timeout', '500ms', true);
    LOOP
        BEGIN
            LOCK TABLE message_feedback, retrievals, retrieved_documents, webhook_deliveries, webhook_attempts;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    PERFORM set_config('lock_timeout', '0', true);
END $$;

ALTER TABLE webhook_deliveries ADD COLUMN erased_at timestamptz; -- since when its body has no texts, and no response of its target is stored
SELECT app.let_erase('message_feedback'), app.let_erase('retrievals'), app.let_erase('retrieved_documents'), app.let_erase('webhook_attempts');

GRANT SELECT (thread_id, seq) ON message_feedback TO parley_door;
GRANT SELECT (turn_id) ON retrievals, retrieved_documents TO parley_door;
GRANT SELECT (delivery_id, response), UPDATE (response) ON webhook_attempts TO parley_door;
GRANT SELECT (erased_at), UPDATE (body, erased_at) ON webhook_deliveries TO parley_door;
GRANT SELECT (body), UPDATE (body) ON event_bodies TO parley_door;
GRANT SELECT (operation_id, status, turn_id), UPDATE (payload, body, conversation_id, status, thread_id, turn_id) ON webhook_events TO parley_door;
GRANT UPDATE (finished_at, status) ON operations TO parley_door;
GRANT UPDATE (errors) ON job_queue TO parley_door;

-- The body of an event without texts: ids and numbers stay.
CREATE FUNCTION app.without_texts(body text) RETURNS text
    LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_set(jsonb_set(jsonb_set(jsonb_set(jsonb_set(jsonb_set(body::jsonb,
           '{data,user_message,content}', '""', false), '{data,assistant_message,content}', '""', false), '{data,channel}', 'null', false),
           '{data,error,message}', '""', false), '{data,error,details}', 'null', false), '{data,last_error}', '""', false)::text
$$;

-- Removes what is kept of turns of the transaction's workspace beside their rows and their messages: feedback, streams, retrievals, stored
-- answers, events to and from other systems, errors of jobs. An operation of theirs that has no answer yet gets none. Rows are
-- locked first, so that whatever is being stored of these turns is either seen here or not stored.
CREATE FUNCTION app.erase_turns(turns uuid[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
       AND o.workspace_id = workspace AND o.actor_id = coalesce(a.user_id, a.api_key_id) AND o.id = a.operation_id AND o.body IS NOT NULL;

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
END $$;

-- Erases a message of the transaction's workspace, and with the message of a user the answer to it. A turn that failed does not
-- go on. The caller has ended a turn that runs.
CREATE FUNCTION app.erase_message(message uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    workspace constant uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    said      record;
BEGIN
    SELECT m.turn_id, m.role INTO said FROM public.messages m WHERE m.workspace_id = workspace AND m.id = message;
    PERFORM app.erase_turns(ARRAY[said.turn_id]);
    UPDATE public.messages m SET content = '', citations = NULL, erased_at = now()
     WHERE m.workspace_id = workspace AND (m.id = message OR said.role = 'user' AND m.turn_id = said.turn_id) AND m.erased_at IS NULL;
    UPDATE public.llm_turns l
       SET status = CASE l.status WHEN 'failed' THEN 'cancelled' ELSE l.status END, error = NULL, error_code = NULL, error_message = NULL, error_details = NULL
     WHERE l.workspace_id = workspace AND l.id = said.turn_id AND l.status <> 'running';
END $$;

-- Removes turns of a deleted thread of the transaction's workspace, max_turns at the most, and after the last one the thread. It
-- returns whether there are more.
CREATE FUNCTION app.erase_thread(thread uuid, max_turns integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    workspace constant uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    turns     uuid[];
BEGIN
    PERFORM FROM public.threads t WHERE t.workspace_id = workspace AND t.id = thread AND t.deleted_at IS NOT NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    turns := ARRAY(SELECT l.id FROM public.llm_turns l WHERE l.workspace_id = workspace AND l.thread_id = thread ORDER BY l.id LIMIT max_turns);
    PERFORM app.erase_turns(turns);
    DELETE FROM public.messages m WHERE m.workspace_id = workspace AND m.turn_id = ANY (turns);
    DELETE FROM public.llm_turns l WHERE l.workspace_id = workspace AND l.id = ANY (turns);
    IF cardinality(turns) = max_turns THEN
        RETURN true;
    END IF;
    UPDATE public.operations o SET body = NULL -- that have its title and metadata
      FROM public.audit_log a
     WHERE a.workspace_id = workspace AND a.resource_id = thread
       AND o.workspace_id = workspace AND o.actor_id = coalesce(a.user_id, a.api_key_id) AND o.id = a.operation_id AND o.finished_at IS NOT NULL AND o.body IS NOT NULL;
    DELETE FROM public.message_feedback f WHERE f.workspace_id = workspace AND f.thread_id = thread;
    DELETE FROM public.messages m WHERE m.workspace_id = workspace AND m.thread_id = thread;
    DELETE FROM public.threads t WHERE t.workspace_id = workspace AND t.id = thread;
    RETURN false;
END $$;

-- Deleted threads of all workspaces whose erasure waits for a job that is not there. One that was given up is begun again after an hour.
CREATE FUNCTION app.locate_deleted_threads(older_seconds double precision, max_rows integer) RETURNS TABLE (workspace_id uuid, thread_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.workspace_id, t.id
      FROM public.threads t
     WHERE t.deleted_at < now() - older_seconds * interval '1 second'
       AND NOT EXISTS (SELECT FROM public.job_queue j
                        WHERE j.workspace_id = t.workspace_id AND j.kind = 'thread.erase' AND j.status IN ('queued', 'running') AND j.key = t.id::text)
       AND NOT EXISTS (SELECT FROM public.dead_letter_queue l
                        WHERE l.workspace_id = t.workspace_id AND l.kind = 'thread.erase' AND l.key = t.id::text AND l.created_at > now() - interval '1 hour')
     LIMIT max_rows
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.erase_turns(uuid[]) OWNER TO parley_door;
ALTER FUNCTION app.erase_message(uuid) OWNER TO parley_door;
ALTER FUNCTION app.erase_thread(uuid, integer) OWNER TO parley_door;
ALTER FUNCTION app.locate_deleted_threads(double precision, integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.without_texts(text), app.erase_turns(uuid[]), app.erase_message(uuid), app.erase_thread(uuid, integer), app.locate_deleted_threads(double precision, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.without_texts(text) TO parley_door;
GRANT EXECUTE ON FUNCTION app.erase_message(uuid), app.erase_thread(uuid, integer), app.locate_deleted_threads(double precision, integer) TO parley_app;
