-- What the caller has sent for the model beside the message: instructions, earlier messages and parameters. It is kept until the turn
-- has an answer or is cancelled, for further attempts.
ALTER TABLE llm_turns ADD COLUMN request jsonb;
GRANT UPDATE (request) ON llm_turns TO parley_door;

-- The bots that may be asked, for conversations.
CREATE VIEW app.bot_names WITH (security_invoker = true) AS
SELECT b.workspace_id, b.id AS bot_id, b.name, b.created_at FROM bots b WHERE b.deleted_at IS NULL AND b.status <> 'archived';
GRANT SELECT ON app.bot_names TO parley_app;

CREATE OR REPLACE FUNCTION app.erase_message(message uuid) RETURNS void
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
       SET status = CASE l.status WHEN 'failed' THEN 'cancelled' ELSE l.status END, error = NULL, error_code = NULL, error_message = NULL, error_details = NULL,
           request = NULL
     WHERE l.workspace_id = workspace AND l.id = said.turn_id AND l.status <> 'running';
END $$;
