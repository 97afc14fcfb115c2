-- Some callers see only what they own: the setting app.owner names whom. It is empty for everybody else. A thread has an owner where
-- such a caller made it; a row of before has none, so nobody's rows change.

-- Whether the owner of the transaction owns a thread.
CREATE FUNCTION app.owns_thread(thread uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM public.threads t
                    WHERE t.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid AND t.id = thread
                      AND t.owner_id = nullif(current_setting('app.owner', true), '')::uuid);
END $$;

-- Whether the owner of the transaction owns the thread of a turn.
CREATE FUNCTION app.owns_turn(turn uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM public.llm_turns u
                     JOIN public.threads t ON t.workspace_id = u.workspace_id AND t.id = u.thread_id
                    WHERE u.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid AND u.id = turn
                      AND t.owner_id = nullif(current_setting('app.owner', true), '')::uuid);
END $$;

-- Keeps whoever sees only what it owns to rows for which a condition holds. For everybody else it is one comparison.
CREATE FUNCTION app.keep_to_owner(tab regclass, condition text) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format($policy$CREATE POLICY owner ON %1$s AS RESTRICTIVE TO parley_app
        USING (CASE WHEN coalesce(current_setting('app.owner', true), '') = '' THEN true ELSE coalesce(%2$s, false) END)$policy$, tab, condition);
END $$;
REVOKE EXECUTE ON FUNCTION app.owns_thread(uuid), app.owns_turn(uuid), app.keep_to_owner(regclass, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.owns_thread(uuid), app.owns_turn(uuid) TO parley_app;

-- The setting of what has four arguments stays as it is: what lifts the limit of bots for a count lifts no other.
CREATE FUNCTION app.set_tenant(workspace text, usr text, role text, bots text, owner text) RETURNS text
    LANGUAGE sql AS $$
    SELECT app.set_tenant(workspace, usr, role, bots) || set_config('app.owner', owner, true)
$$;
REVOKE EXECUTE ON FUNCTION app.set_tenant(text, text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.set_tenant(text, text, text, text, text) TO parley_app, parley_door;

ALTER TABLE threads ADD COLUMN owner_id uuid, ADD COLUMN end_user_id uuid; -- its owner, where that is an end user
ALTER TABLE threads
    ALTER COLUMN owner_id SET DEFAULT nullif(current_setting('app.owner', true), '')::uuid,
    ALTER COLUMN end_user_id SET DEFAULT CASE current_setting('app.role', true) WHEN 'end_user' THEN nullif(current_setting('app.owner', true), '')::uuid END;
CREATE INDEX threads_by_owner ON threads (workspace_id, owner_id, created_at DESC, id DESC) WHERE owner_id IS NOT NULL;
SELECT app.keep_to_owner('threads', $$owner_id = current_setting('app.owner')::uuid$$);
