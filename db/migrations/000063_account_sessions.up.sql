-- Sessions of people who are in no workspace. They let a person read who it is, make a workspace and log out. When such a
-- session is refreshed after its user has got a workspace, it moves to sessions, under the same id, so that its spent refresh
-- tokens stay known. The program before this one does not know the table, and refuses the tokens: 401.
CREATE TABLE account_sessions (
    user_id         uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id              uuid NOT NULL,
    generation      integer NOT NULL CHECK (generation >= 1), -- this column and the others as in sessions
    rotated_at      timestamptz NOT NULL,
    retirements     timestamptz[] NOT NULL DEFAULT '{}',
    kid             text NOT NULL,
    idle_expires_at timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    revoked_at      timestamptz,
    created_at      timestamptz NOT NULL,
    ip              inet,
    user_agent      text NOT NULL,
    PRIMARY KEY (user_id, id)
);
ALTER TABLE account_sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_sessions FORCE ROW LEVEL SECURITY;
CREATE POLICY self ON account_sessions TO parley_app
    USING (user_id = nullif(current_setting('app.user_id', true), '')::uuid)
    WITH CHECK (user_id = nullif(current_setting('app.user_id', true), '')::uuid);
GRANT SELECT, INSERT, DELETE ON account_sessions TO parley_app;
GRANT UPDATE (generation, rotated_at, retirements, kid, idle_expires_at, revoked_at) ON account_sessions TO parley_app;
GRANT SELECT (user_id, id, idle_expires_at, expires_at, revoked_at), UPDATE (revoked_at) ON account_sessions TO parley_door;
CREATE POLICY door ON account_sessions FOR SELECT TO parley_door USING (true);
CREATE POLICY door_end ON account_sessions FOR UPDATE TO parley_door USING (true) WITH CHECK (true);

-- The first statement of every call with a session of this kind: lets it in, as its user and in no workspace, or raises.
CREATE FUNCTION app.enter_account(session uuid, usr uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.account_sessions s
                    WHERE s.user_id = usr AND s.id = session
                      AND s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now()) THEN
        RAISE EXCEPTION 'the session has ended' USING ERRCODE = 'PY401';
    END IF;
    PERFORM set_config('app.workspace_id', '', true), set_config('app.user_id', usr::text, true);
END $$;

-- A change of the password, and logout-all, end these sessions as well.
CREATE OR REPLACE FUNCTION app.end_other_sessions(keep uuid) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH ended AS (
        UPDATE public.sessions SET revoked_at = now()
         WHERE user_id = nullif(current_setting('app.user_id', true), '')::uuid AND id <> keep AND revoked_at IS NULL
     RETURNING 1
    ), ended_account AS (
        UPDATE public.account_sessions SET revoked_at = now()
         WHERE user_id = nullif(current_setting('app.user_id', true), '')::uuid AND id <> keep AND revoked_at IS NULL
     RETURNING 1
    )
    SELECT ((SELECT count(*) FROM ended) + (SELECT count(*) FROM ended_account))::integer
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.enter_account(uuid, uuid) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.enter_account(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.enter_account(uuid, uuid) TO parley_app;

-- Moves a session of this transaction's user into the first workspace that the user is in, one that is not deleted if there is
-- one, and goes on in that workspace; NULL, and nothing done, where there is none. It works with the rights of who asks.
CREATE FUNCTION app.settle_session(session uuid) RETURNS uuid
    LANGUAGE plpgsql AS $$
DECLARE
    home uuid;
BEGIN
    SELECT m.workspace_id INTO home FROM app.memberships(NULL, NULL, 100) m
     ORDER BY m.deleted_at IS NOT NULL, m.joined_at, m.workspace_id LIMIT 1;
    IF home IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('app.workspace_id', home::text, true);
    INSERT INTO public.sessions (workspace_id, id, user_id, generation, rotated_at, retirements, kid, idle_expires_at, expires_at,
                                 revoked_at, created_at, ip, user_agent)
    SELECT home, s.id, s.user_id, s.generation, s.rotated_at, s.retirements, s.kid, s.idle_expires_at, s.expires_at,
           s.revoked_at, s.created_at, s.ip, s.user_agent
      FROM public.account_sessions s WHERE s.id = session;
    DELETE FROM public.account_sessions s WHERE s.id = session;
    RETURN home;
END $$;
REVOKE EXECUTE ON FUNCTION app.settle_session(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.settle_session(uuid) TO parley_app;
