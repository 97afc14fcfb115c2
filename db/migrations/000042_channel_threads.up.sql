-- What the next message of a conversation does where its thread is archived: begin a new one, or take it up again.
ALTER TABLE webhook_endpoints ADD COLUMN on_archived text NOT NULL DEFAULT 'new_thread' CHECK (on_archived IN ('new_thread', 'reopen'));

-- Returns the thread of a conversation that comes in over an endpoint, and makes it ready for the next message: it is
-- opened by the first message, has the bot of the endpoint, and is active. One that stays archived gives its conversation
-- up to a new one.
CREATE FUNCTION app.channel_thread(workspace uuid, endpoint uuid, conversation text, new_id uuid, moment timestamptz) RETURNS uuid
    LANGUAGE plpgsql AS $$
DECLARE
    e record;
    t record;
BEGIN
    SELECT w.bot_id, w.on_archived INTO e FROM public.webhook_endpoints w WHERE w.workspace_id = workspace AND w.id = endpoint;
    LOOP
        SELECT c.id, c.bot_id, c.status INTO t FROM public.threads c
         WHERE c.workspace_id = workspace AND c.endpoint_id = endpoint AND c.conversation_id = conversation FOR UPDATE;
        IF FOUND AND (t.status = 'active' OR e.on_archived = 'reopen') THEN
            IF t.status <> 'active' OR t.bot_id IS DISTINCT FROM e.bot_id THEN
                UPDATE public.threads c SET status = 'active', bot_id = e.bot_id WHERE c.workspace_id = workspace AND c.id = t.id;
            END IF;
            RETURN t.id;
        END IF;
        IF FOUND THEN
            UPDATE public.threads c SET endpoint_id = NULL, conversation_id = NULL WHERE c.workspace_id = workspace AND c.id = t.id;
        END IF;
        INSERT INTO public.threads (workspace_id, id, bot_id, status, created_by, created_at, endpoint_id, conversation_id)
        VALUES (workspace, new_id, e.bot_id, 'active', endpoint, moment, endpoint, conversation)
            ON CONFLICT (endpoint_id, conversation_id, workspace_id) WHERE endpoint_id IS NOT NULL DO NOTHING;
        IF FOUND THEN
            RETURN new_id;
        END IF;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION app.channel_thread(uuid, uuid, text, uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.channel_thread(uuid, uuid, text, uuid, timestamptz) TO parley_app;
