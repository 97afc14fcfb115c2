-- Files that are attached to messages, and files of end users.

-- A file has an owner where a caller that sees only what it owns has uploaded it: an end user, or an API key with the role chat.
ALTER TABLE files ADD COLUMN owner_id uuid;
ALTER TABLE files ALTER COLUMN owner_id SET DEFAULT nullif(current_setting('app.owner', true), '')::uuid;
CREATE INDEX files_by_owner ON files (workspace_id, owner_id, created_at DESC, id DESC) WHERE owner_id IS NOT NULL;
DROP POLICY key_bots ON files; -- a caller that is limited to some bots sees what it has uploaded
CREATE POLICY key_bots ON files AS RESTRICTIVE TO parley_app
    USING (CASE WHEN coalesce(current_setting('app.bots', true), '') = '' THEN true
                ELSE created_by = nullif(current_setting('app.user_id', true), '')::uuid END)
    WITH CHECK (true);
SELECT app.keep_to_owner('files', $$owner_id = current_setting('app.owner')::uuid$$);

-- What conversations see of files.
CREATE VIEW app.attachable_files WITH (security_invoker = true) AS SELECT workspace_id, id, name, content_type, size FROM files;
GRANT SELECT ON app.attachable_files TO parley_app;

CREATE TABLE message_attachments (
    workspace_id uuid NOT NULL,
    turn_id      uuid NOT NULL,                            -- of the message, which is the user's
    place        smallint NOT NULL CHECK (place >= 0),
    file_id      uuid NOT NULL,
    stored_id    uuid,                                     -- file_id until the file is deleted
    name         text NOT NULL,
    media_type   text NOT NULL,
    size         bigint NOT NULL,
    text         text,                                     -- of a document, once it is extracted
    cut          boolean NOT NULL DEFAULT false,           -- the document has more text
    PRIMARY KEY (workspace_id, turn_id, place),
    FOREIGN KEY (workspace_id, turn_id) REFERENCES llm_turns (workspace_id, id),
    CONSTRAINT message_attachments_file_fkey FOREIGN KEY (workspace_id, stored_id) REFERENCES files (workspace_id, id) ON DELETE SET NULL (stored_id)
);
CREATE INDEX message_attachments_by_file ON message_attachments (workspace_id, stored_id) WHERE stored_id IS NOT NULL;
SELECT app.wall('message_attachments'), app.keep_key_to('message_attachments', 'app.sees_turn(turn_id)'),
       app.keep_to_owner('message_attachments', 'app.owns_turn(turn_id)'), app.let_erase('message_attachments');
GRANT SELECT, INSERT ON message_attachments TO parley_app;
GRANT UPDATE (text, cut) ON message_attachments TO parley_app;
GRANT SELECT, DELETE ON message_attachments TO parley_door;

-- The attachments of a turn's message as readers receive them; NULL where there are none.
CREATE FUNCTION app.attachments_of(workspace uuid, turn uuid) RETURNS jsonb
    LANGUAGE sql STABLE AS $$
    SELECT jsonb_agg(jsonb_build_object('file_id', a.file_id, 'name', a.name, 'media_type', a.media_type, 'size', a.size, 'deleted', a.stored_id IS NULL)
                     ORDER BY a.place)
      FROM public.message_attachments a WHERE a.workspace_id = workspace AND a.turn_id = turn
$$;
REVOKE EXECUTE ON FUNCTION app.attachments_of(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.attachments_of(uuid, uuid) TO parley_app;

-- The text of a file goes with the file. The name stays, so that the message says what it had.
CREATE FUNCTION app.forget_attached_text() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    new.text := NULL;
    new.cut := false;
    RETURN new;
END $$;
CREATE TRIGGER message_attachments_forget_text BEFORE UPDATE OF stored_id ON message_attachments FOR EACH ROW
    WHEN (new.stored_id IS NULL) EXECUTE FUNCTION app.forget_attached_text();

CREATE OR REPLACE FUNCTION app.erase_message(message uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    workspace constant uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    said      record;
BEGIN
    SELECT m.turn_id, m.role INTO said FROM public.messages m WHERE m.workspace_id = workspace AND m.id = message;
    PERFORM app.erase_turns(ARRAY[said.turn_id]);
    DELETE FROM public.message_attachments a WHERE a.workspace_id = workspace AND a.turn_id = said.turn_id AND said.role = 'user';
    UPDATE public.messages m SET content = '', citations = NULL, erased_at = now()
     WHERE m.workspace_id = workspace AND (m.id = message OR said.role = 'user' AND m.turn_id = said.turn_id) AND m.erased_at IS NULL;
    UPDATE public.llm_turns l
       SET status = CASE l.status WHEN 'failed' THEN 'cancelled' ELSE l.status END, error = NULL, error_code = NULL, error_message = NULL, error_details = NULL,
           request = NULL, variables = NULL
     WHERE l.workspace_id = workspace AND l.id = said.turn_id AND l.status <> 'running';
END $$;

CREATE OR REPLACE FUNCTION app.erase_thread(thread uuid, max_turns integer)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
    DELETE FROM public.message_attachments a WHERE a.workspace_id = workspace AND a.turn_id = ANY (turns);
    DELETE FROM public.messages m WHERE m.workspace_id = workspace AND m.turn_id = ANY (turns);
    DELETE FROM public.llm_turns l WHERE l.workspace_id = workspace AND l.id = ANY (turns);
    IF cardinality(turns) = max_turns THEN
        RETURN true;
    END IF;
    UPDATE public.operations o SET body = NULL -- that have its title and metadata
      FROM public.audit_log a
     WHERE a.workspace_id = workspace AND a.resource_id = thread
       AND o.workspace_id = workspace AND o.actor_id = coalesce(app.end_user_of(a.changes), a.user_id, a.api_key_id) AND o.id = a.operation_id AND o.finished_at IS NOT NULL AND o.body IS NOT NULL;
    DELETE FROM public.message_feedback f WHERE f.workspace_id = workspace AND f.thread_id = thread;
    DELETE FROM public.messages m WHERE m.workspace_id = workspace AND m.thread_id = thread;
    DELETE FROM public.threads t WHERE t.workspace_id = workspace AND t.id = thread;
    RETURN false;
END $function$;

-- An anonymous end user who becomes known takes its files along.
GRANT UPDATE (owner_id, created_by) ON files TO parley_app;
CREATE VIEW app.file_owners WITH (security_invoker = true) AS SELECT workspace_id, owner_id FROM files WHERE owner_id IS NOT NULL;
GRANT SELECT ON app.file_owners TO parley_app;
CREATE OR REPLACE FUNCTION app.merge_end_user(anonymous uuid, its_external_id text, OUT known uuid, OUT refused boolean)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
DECLARE
    workspace constant uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    its_user  text := coalesce(current_setting('app.user_id', true), '');
    its_role  text := coalesce(current_setting('app.role', true), '');
    its_bots  text := coalesce(current_setting('app.bots', true), '');
    its_owner text := coalesce(current_setting('app.owner', true), '');
    visitor   public.end_users;
    revoked   timestamptz;
BEGIN
    SELECT * INTO visitor FROM public.end_users e WHERE e.workspace_id = workspace AND e.id = anonymous AND e.external_id IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    LOOP -- until it is there and locked: it may be deleted between the two
        INSERT INTO public.end_users (workspace_id, id, external_id, name, metadata, created_at, last_token_at)
        VALUES (workspace, app.uuid_v7(), its_external_id, visitor.name, visitor.metadata, visitor.created_at, visitor.last_token_at)
            ON CONFLICT (workspace_id, external_id) WHERE external_id IS NOT NULL DO NOTHING;
        SELECT e.id, e.revoked_at INTO known, revoked FROM public.end_users e
         WHERE e.workspace_id = workspace AND e.external_id = its_external_id FOR NO KEY UPDATE;
        EXIT WHEN FOUND;
    END LOOP;
    refused := visitor.revoked_at IS NOT NULL OR revoked IS NOT NULL;
    IF NOT (app.describes_end_user(anonymous) AND app.describes_end_user(known)) THEN
        RAISE EXCEPTION 'an end user of other bots' USING ERRCODE = 'PYKEY', DETAIL = its_role;
    END IF;
    IF refused THEN
        RETURN;
    END IF;
    PERFORM app.set_tenant(workspace::text, its_user, its_role, its_bots, ''); -- a key that makes tokens owns no threads
    UPDATE public.message_feedback f SET user_id = known
      FROM public.threads t
     WHERE t.workspace_id = workspace AND t.owner_id = anonymous AND f.workspace_id = workspace AND f.thread_id = t.id AND f.user_id = anonymous;
    UPDATE public.threads t SET owner_id = known, end_user_id = known, created_by = CASE t.created_by WHEN anonymous THEN known ELSE t.created_by END
     WHERE t.workspace_id = workspace AND t.owner_id = anonymous;
    PERFORM app.set_tenant(workspace::text, its_user, its_role, '', ''); -- of which a key that is limited to bots sees none
    UPDATE public.files f SET owner_id = known, created_by = CASE f.created_by WHEN anonymous THEN known ELSE f.created_by END
     WHERE f.workspace_id = workspace AND f.owner_id = anonymous;
    PERFORM app.set_tenant(workspace::text, its_user, its_role, its_bots, its_owner);
    INSERT INTO public.end_user_bots (workspace_id, end_user_id, bot_id)
    SELECT workspace, known, b.bot_id FROM public.end_user_bots b WHERE b.workspace_id = workspace AND b.end_user_id = anonymous
        ON CONFLICT DO NOTHING;
    INSERT INTO public.caller_counts AS c (workspace_id, caller_id, metric, period, began_at, used)
    SELECT workspace, known, o.metric, o.period, o.began_at, o.used FROM public.caller_counts o WHERE o.workspace_id = workspace AND o.caller_id = anonymous
        ON CONFLICT (workspace_id, caller_id, metric, period) DO UPDATE
       SET used = CASE WHEN c.began_at = excluded.began_at THEN c.used + excluded.used WHEN c.began_at > excluded.began_at THEN c.used ELSE excluded.used END,
           began_at = greatest(c.began_at, excluded.began_at);
    DELETE FROM public.caller_counts c WHERE c.workspace_id = workspace AND c.caller_id = anonymous;
    DELETE FROM public.end_users e WHERE e.workspace_id = workspace AND e.id = anonymous;
    PERFORM app.erase_end_user(anonymous);
END $function$;
