-- End users chat with one bot by tokens that are made with an API key of the role embed.
CREATE TABLE end_users (
    workspace_id  uuid        NOT NULL REFERENCES workspaces (id),
    id            uuid        NOT NULL,
    external_id   text        CHECK (char_length(external_id) BETWEEN 1 AND 200), -- null: an anonymous visitor
    name          text        NOT NULL DEFAULT '' CHECK (char_length(name) <= 200),
    metadata      jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
    created_at    timestamptz NOT NULL,
    last_token_at timestamptz NOT NULL,
    revoked_at    timestamptz,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX end_users_external_key ON end_users (workspace_id, external_id) WHERE external_id IS NOT NULL;
SELECT app.wall('end_users');
CREATE POLICY owner ON end_users AS RESTRICTIVE TO parley_app
    USING (CASE WHEN coalesce(current_setting('app.role', true), '') = 'end_user' THEN coalesce(id = current_setting('app.owner')::uuid, false) ELSE true END);
CREATE POLICY door ON end_users FOR SELECT TO parley_door USING (true);
GRANT SELECT, INSERT, UPDATE (name, metadata, last_token_at, revoked_at) ON end_users TO parley_app;
GRANT SELECT (workspace_id, id, revoked_at) ON end_users TO parley_door;
CREATE POLICY door_entry ON bots FOR SELECT TO parley_door
    USING (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid AND deleted_at IS NULL);
GRANT SELECT (deleted_at) ON bots TO parley_door;

-- The entry of an end user with a token that a key has made for one bot: all three must be there and in force. It sees its own rows,
-- and of bots the one.
CREATE FUNCTION app.enter_end_user(end_user uuid, key uuid, bot uuid, workspace uuid, roles text[], may text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone boolean;
BEGIN
    SELECT w.deleted_at IS NOT NULL INTO gone
      FROM public.end_users e
      JOIN public.api_keys k ON k.workspace_id = e.workspace_id AND k.id = key
      JOIN public.workspaces w ON w.id = e.workspace_id
      JOIN public.workspace_members m ON m.workspace_id = k.workspace_id AND m.user_id = coalesce(k.responsible_id, k.created_by)
     WHERE e.workspace_id = workspace AND e.id = end_user AND e.revoked_at IS NULL
       AND k.role = 'embed' AND k.revoked_at IS NULL AND k.suspended_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()) AND m.role <> 'viewer';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the end user or the key of its token has ended' USING ERRCODE = 'PY401';
    END IF;
    IF gone THEN
        RAISE EXCEPTION 'the workspace is deleted' USING ERRCODE = 'PY410';
    END IF;
    IF may <> 'any' THEN
        RAISE EXCEPTION 'not for this API key' USING ERRCODE = 'PYKEY', DETAIL = 'end_user';
    END IF;
    IF cardinality(roles) > 0 AND 'end_user' <> ALL (roles) THEN
        RAISE EXCEPTION 'the role does not allow this' USING ERRCODE = 'PYROL', DETAIL = 'end_user';
    END IF;
    PERFORM app.set_tenant(workspace::text, end_user::text, 'end_user', ARRAY[bot]::text, end_user::text);
    IF NOT EXISTS (SELECT FROM public.bots b WHERE b.workspace_id = workspace AND b.id = bot AND b.deleted_at IS NULL) THEN
        RAISE EXCEPTION 'the bot of the token is deleted' USING ERRCODE = 'PY401';
    END IF;
    RETURN 'end_user';
END $$;
REVOKE EXECUTE ON FUNCTION app.enter_end_user(uuid, uuid, uuid, uuid, text[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.enter_end_user(uuid, uuid, uuid, uuid, text[], text) TO parley_app;
GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.enter_end_user(uuid, uuid, uuid, uuid, text[], text) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;

CREATE OR REPLACE FUNCTION app.ended_access(callers jsonb) RETURNS TABLE (n integer, state text, detail text)
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    c    record;
    said text;
BEGIN
    FOR c IN SELECT * FROM jsonb_to_recordset(callers) AS caller(n integer, session uuid, "user" uuid, key uuid, home uuid, workspace uuid,
                                                                 roles text[], may text, deleted boolean, without_factor boolean,
                                                                 end_user uuid, bot uuid) LOOP
        BEGIN
            IF c.end_user IS NOT NULL THEN
                PERFORM app.enter_end_user(c.end_user, c.key, c.bot, c.workspace, c.roles, c.may);
            ELSIF c.key IS NOT NULL THEN
                PERFORM app.enter_key(c.key, c.workspace, c.roles, c.may);
            ELSIF c.home IS NULL THEN
                PERFORM app.enter(c.session, c."user", c.workspace, c.roles, c.deleted);
            ELSE
                PERFORM app.enter(c.session, c."user", c.home, c.workspace, c.roles, c.deleted, false, coalesce(c.without_factor, true));
            END IF;
        EXCEPTION WHEN OTHERS THEN
            IF SQLSTATE NOT LIKE 'PY%' THEN
                RAISE;
            END IF;
            GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
            RETURN QUERY SELECT c.n, SQLSTATE, said;
        END;
    END LOOP;
    PERFORM app.set_tenant('', '', '', '', '');
END $$;
