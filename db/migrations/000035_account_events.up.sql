-- What happened to the account of a person outside of any workspace, such as a log-in that was refused because the person
-- is a member of none: the audit log belongs to workspaces. Rows are added and read, never changed; they go with their
-- user, or when they are 400 days old.
CREATE TABLE account_events (
    user_id             uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id                  uuid NOT NULL,
    action              text NOT NULL, -- object.verb: session.refuse
    reason              text NOT NULL, -- the code of the refusal
    wanted_workspace_id uuid,          -- the workspace that was asked for, whether it exists or not
    operation_id        uuid,
    trace_id            text NOT NULL,
    ip                  inet,
    user_agent          text NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, id)
);
CREATE INDEX account_events_newest ON account_events (user_id, created_at);
CREATE INDEX account_events_by_age ON account_events USING brin (created_at) WITH (autosummarize = on);
ALTER TABLE account_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_events FORCE ROW LEVEL SECURITY;
CREATE POLICY self ON account_events TO parley_app
    USING (user_id = nullif(current_setting('app.user_id', true), '')::uuid)
    WITH CHECK (user_id = nullif(current_setting('app.user_id', true), '')::uuid);
GRANT SELECT, INSERT ON account_events TO parley_app;
CREATE TRIGGER append_only BEFORE UPDATE ON account_events FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON account_events FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();

GRANT SELECT (user_id, id, created_at), DELETE ON account_events TO parley_door;
CREATE POLICY door ON account_events TO parley_door USING (true) WITH CHECK (true);
CREATE FUNCTION app.expire_account_events(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    removed integer;
BEGIN
    WITH old AS (
        SELECT e.user_id, e.id FROM public.account_events e WHERE e.created_at < now() - interval '400 days' LIMIT most
    )
    DELETE FROM public.account_events e USING old WHERE (e.user_id, e.id) = (old.user_id, old.id);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;
GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.expire_account_events(integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.expire_account_events(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.expire_account_events(integer) TO parley_app;
