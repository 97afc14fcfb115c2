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
ALTER TABLE llm_turns DROP COLUMN variables;
