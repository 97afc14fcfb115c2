-- Keys of programs, and what a key that is limited to some bots may see.
CREATE TABLE api_keys (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id           uuid NOT NULL,
    name         text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    hash         bytea NOT NULL CONSTRAINT api_keys_hash_key UNIQUE CHECK (octet_length(hash) = 32), -- SHA-256 of 32 random bytes as text: nothing to guess
    hint         text NOT NULL, -- how it begins, for people
    role         text NOT NULL CHECK (role IN ('editor', 'viewer')),
    bot_ids      uuid[] CHECK (cardinality(bot_ids) BETWEEN 1 AND 100), -- null: all bots
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    last_used_at timestamptz, -- to a minute or so
    revoked_at   timestamptz,
    PRIMARY KEY (workspace_id, id)
);
SELECT app.wall('api_keys');
GRANT SELECT, INSERT, UPDATE (last_used_at, revoked_at) ON api_keys TO parley_app;
GRANT SELECT (workspace_id, id, hash, role, bot_ids, expires_at, revoked_at) ON api_keys TO parley_door;
CREATE POLICY door ON api_keys FOR SELECT TO parley_door USING (true);

-- A key acts in place of a user.
ALTER TABLE audit_log ADD COLUMN api_key_id uuid;

-- Which key a text is, found by its hash. Its workspace and its id never change, so they may be remembered; whether it is
-- still good is app.enter_key's to say.
CREATE FUNCTION app.find_api_key(print bytea) RETURNS TABLE (workspace_id uuid, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT k.workspace_id, k.id FROM public.api_keys k
     WHERE k.hash = print AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
$$;

-- The first statement of every call with an API key, as app.enter is of those with a session. may says which keys the call
-- is for: 'any', 'whole' (not those that are limited to some bots), or none.
CREATE FUNCTION app.enter_key(key uuid, workspace uuid, roles text[], may text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    its_role text;
    its_bots uuid[];
    gone     boolean;
BEGIN
    SELECT k.role, k.bot_ids, w.deleted_at IS NOT NULL INTO its_role, its_bots, gone
      FROM public.api_keys k
      JOIN public.workspaces w ON w.id = k.workspace_id
     WHERE k.workspace_id = workspace AND k.id = key AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now());
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the API key is revoked or has expired' USING ERRCODE = 'PY401';
    END IF;
    IF gone THEN
        RAISE EXCEPTION 'the workspace is deleted' USING ERRCODE = 'PY410';
    END IF;
    IF may NOT IN ('any', 'whole') OR may = 'whole' AND its_bots IS NOT NULL THEN
        RAISE EXCEPTION 'not for this API key' USING ERRCODE = 'PYKEY', DETAIL = its_role;
    END IF;
    IF cardinality(roles) > 0 AND its_role <> ALL (roles) THEN
        RAISE EXCEPTION 'the role does not allow this' USING ERRCODE = 'PYROL', DETAIL = its_role;
    END IF;
    PERFORM set_config('app.workspace_id', workspace::text, true), set_config('app.user_id', key::text, true),
            set_config('app.role', its_role, true), set_config('app.bots', coalesce(its_bots::text, ''), true);
    RETURN its_role;
END $$;

-- Raises for a row of a bot, or of none, that the transaction's key may not touch.
CREATE FUNCTION app.refuse_bot(bot uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF bot = ANY (current_setting('app.bots')::uuid[]) THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION 'not for this API key' USING ERRCODE = 'PYKEY', DETAIL = current_setting('app.role');
END $$;

-- Whether the transaction's key sees a thread: as the wall of threads has it.
CREATE FUNCTION app.sees_thread(thread uuid) RETURNS boolean
    LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM public.threads t
                    WHERE t.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid AND t.id = thread)
$$;

-- Keeps a key that is limited to some bots to their rows: others it does not see, and it makes none. For everybody else
-- it is one comparison. Every table with a bot_id needs it, which the catalog test holds.
CREATE FUNCTION app.keep_to_bots(tab regclass, its_column text DEFAULT 'bot_id') RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format($policy$CREATE POLICY key_bots ON %1$s AS RESTRICTIVE TO parley_app
        USING (CASE WHEN coalesce(current_setting('app.bots', true), '') = '' THEN true
                    ELSE coalesce(%2$I = ANY (current_setting('app.bots', true)::uuid[]), false) END)
        WITH CHECK (CASE WHEN coalesce(current_setting('app.bots', true), '') = '' THEN true ELSE app.refuse_bot(%2$I) END)$policy$,
        tab, its_column);
END $$;
REVOKE EXECUTE ON FUNCTION app.keep_to_bots(regclass, text), app.refuse_bot(uuid), app.sees_thread(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.refuse_bot(uuid), app.sees_thread(uuid) TO parley_app;

SELECT app.keep_to_bots('bots', 'id');
SELECT app.keep_to_bots(a.attrelid) -- whatever tables have a bot_id here
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'bot_id' AND NOT a.attisdropped;
CREATE POLICY key_bots ON messages AS RESTRICTIVE TO parley_app
    USING (CASE WHEN coalesce(current_setting('app.bots', true), '') = '' THEN true ELSE app.sees_thread(thread_id) END);

CREATE OR REPLACE FUNCTION app.level(workspace uuid, metric text) RETURNS bigint
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    CASE metric
        WHEN 'bots' THEN RETURN (SELECT count(*) FROM public.bots b WHERE b.workspace_id = workspace);
        WHEN 'members' THEN RETURN (SELECT count(*) FROM public.workspace_members m WHERE m.workspace_id = workspace);
        WHEN 'api_keys' THEN RETURN (SELECT count(*) FROM public.api_keys k
                                      WHERE k.workspace_id = workspace AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()));
        ELSE RETURN NULL;
    END CASE;
END $$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.find_api_key(bytea) OWNER TO parley_door;
ALTER FUNCTION app.enter_key(uuid, uuid, text[], text) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.find_api_key(bytea), app.enter_key(uuid, uuid, text[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.find_api_key(bytea), app.enter_key(uuid, uuid, text[], text) TO parley_app;
