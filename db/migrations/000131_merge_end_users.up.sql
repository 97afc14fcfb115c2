-- An anonymous end user becomes known: what it has goes to the end user with an external id, and it is removed.
GRANT UPDATE (user_id) ON message_feedback TO parley_app;

-- Returns the known end user and whether one of both is revoked, which changes nothing; no row where there is no such anonymous end user.
-- Who opens a thread for the anonymous one meanwhile waits, and fails. Turns that run go on in their threads.
CREATE FUNCTION app.merge_end_user(anonymous uuid, its_external_id text, OUT known uuid, OUT refused boolean)
    LANGUAGE plpgsql AS $$
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
END $$;
REVOKE EXECUTE ON FUNCTION app.merge_end_user(uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.merge_end_user(uuid, text) TO parley_app;
