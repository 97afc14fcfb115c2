-- The sessions of the user of this transaction, of all its workspaces and of none, each read as its tenant: the newest of each,
-- before a place in the list, or all that are stored where also_ended says so. It works with the rights of who asks.
CREATE FUNCTION app.own_sessions(before_at timestamptz, before_id uuid, max_rows integer, also_ended boolean)
    RETURNS TABLE (workspace_id uuid, id uuid, rotated_at timestamptz, idle_expires_at timestamptz, revoked_at timestamptz,
                   created_at timestamptz, ip inet, user_agent text)
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    its_workspace text := coalesce(current_setting('app.workspace_id', true), '');
    its_user      text := coalesce(current_setting('app.user_id', true), '');
    its_role      text := coalesce(current_setting('app.role', true), '');
    its_bots      text := coalesce(current_setting('app.bots', true), '');
    usr           uuid := nullif(its_user, '')::uuid;
    home          uuid;
BEGIN
    RETURN QUERY SELECT NULL::uuid, s.id, s.rotated_at, s.idle_expires_at, s.revoked_at, s.created_at, s.ip, s.user_agent
      FROM public.account_sessions s
     WHERE s.user_id = usr AND (also_ended OR s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now())
       AND (before_at IS NULL OR (s.created_at, s.id) < (before_at, before_id))
     ORDER BY s.created_at DESC, s.id DESC LIMIT max_rows;
    FOREACH home IN ARRAY ARRAY(SELECT app.own_workspaces()) LOOP
        PERFORM app.set_tenant(home::text, its_user, '', '');
        RETURN QUERY SELECT home, s.id, s.rotated_at, s.idle_expires_at, s.revoked_at, s.created_at, s.ip, s.user_agent
          FROM public.sessions s
         WHERE s.workspace_id = home AND s.user_id = usr
           AND (also_ended OR s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now())
           AND (before_at IS NULL OR (s.created_at, s.id) < (before_at, before_id))
         ORDER BY s.created_at DESC, s.id DESC LIMIT max_rows;
    END LOOP;
    PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
END $$;

-- Ends one session of the user of this transaction, in whichever workspace it is; false where it has no such session that is
-- alive. It works with the rights of who asks.
CREATE FUNCTION app.end_own_session(session uuid) RETURNS boolean
    LANGUAGE plpgsql AS $$
DECLARE
    its_workspace text := coalesce(current_setting('app.workspace_id', true), '');
    its_user      text := coalesce(current_setting('app.user_id', true), '');
    its_role      text := coalesce(current_setting('app.role', true), '');
    its_bots      text := coalesce(current_setting('app.bots', true), '');
    usr           uuid := nullif(its_user, '')::uuid;
    home          uuid;
    ended         boolean;
BEGIN
    UPDATE public.account_sessions s SET revoked_at = now()
     WHERE s.user_id = usr AND s.id = session AND s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now();
    IF FOUND THEN
        RETURN true;
    END IF;
    SELECT f.workspace_id INTO home FROM app.find_session(session) f WHERE f.user_id = usr;
    IF home IS NULL THEN
        RETURN false;
    END IF;
    PERFORM app.set_tenant(home::text, its_user, '', '');
    UPDATE public.sessions s SET revoked_at = now()
     WHERE s.workspace_id = home AND s.id = session AND s.user_id = usr
       AND s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now();
    ended := FOUND;
    PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
    RETURN ended;
END $$;

REVOKE EXECUTE ON FUNCTION app.own_sessions(timestamptz, uuid, integer, boolean), app.end_own_session(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.own_sessions(timestamptz, uuid, integer, boolean), app.end_own_session(uuid) TO parley_app;

-- The devices on which somebody has signed in to an account, as far as clients say what they are: a description in plain
-- words and a network. An account that has one gets an email when it is opened on another for the first time.
CREATE TABLE account_devices (
    user_id       uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device        text NOT NULL CHECK (char_length(device) <= 100),
    network       text NOT NULL CHECK (char_length(network) <= 50), -- such as 203.0.113.0/24; '' where it is not known
    first_seen_at timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL,
    PRIMARY KEY (user_id, device, network)
);
ALTER TABLE account_devices ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_devices FORCE ROW LEVEL SECURITY;
CREATE POLICY self ON account_devices TO parley_app
    USING (user_id = nullif(current_setting('app.user_id', true), '')::uuid)
    WITH CHECK (user_id = nullif(current_setting('app.user_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON account_devices TO parley_app;

-- What the text of an email says beside what its kind and the account say, by name.
ALTER TABLE account_emails ADD COLUMN facts jsonb NOT NULL DEFAULT '{}';

CREATE FUNCTION app.queue_account_email(its_id uuid, its_kind text, its_user uuid, its_address text, its_language text, its_trace text, its_facts jsonb) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO public.account_emails (id, kind, user_id, address, language, trace_id, facts)
    VALUES (its_id, its_kind, its_user, its_address, its_language, its_trace, its_facts);
$$;

-- Takes the emails that are due as app.claim_account_emails does, which the release before calls, with their facts.
CREATE FUNCTION app.take_account_emails(max_rows integer, lease_seconds double precision)
    RETURNS TABLE (id uuid, kind text, user_id uuid, address text, language text, trace_id text, attempt integer, created_at timestamptz, facts jsonb)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH due AS (
        SELECT e.id FROM public.account_emails e WHERE e.run_at <= now() ORDER BY e.run_at, e.id LIMIT max_rows FOR UPDATE SKIP LOCKED
    )
    UPDATE public.account_emails e SET attempt = e.attempt + 1, run_at = now() + make_interval(secs => lease_seconds)
      FROM due WHERE e.id = due.id
    RETURNING e.id, e.kind, e.user_id, e.address, e.language, e.trace_id, e.attempt, e.created_at, e.facts;
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.queue_account_email(uuid, text, uuid, text, text, text, jsonb) OWNER TO parley_door;
ALTER FUNCTION app.take_account_emails(integer, double precision) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.queue_account_email(uuid, text, uuid, text, text, text, jsonb), app.take_account_emails(integer, double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.queue_account_email(uuid, text, uuid, text, text, text, jsonb), app.take_account_emails(integer, double precision) TO parley_app;
