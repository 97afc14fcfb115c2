CREATE TABLE workspaces (
    id         uuid PRIMARY KEY,
    name       text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL
);
ALTER TABLE workspaces ENABLE ROW LEVEL SECURITY;
ALTER TABLE workspaces FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON workspaces TO parley_app
    USING (id = nullif(current_setting('app.workspace_id', true), '')::uuid)
    WITH CHECK (id = nullif(current_setting('app.workspace_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON workspaces TO parley_app;

-- A person, who may belong to several workspaces; each sees only itself.
CREATE TABLE users (
    id            uuid PRIMARY KEY,
    email         text NOT NULL CONSTRAINT users_email_key UNIQUE CHECK (email = lower(btrim(email))),
    password_hash text NOT NULL,
    operation_id  uuid NOT NULL, -- of the call that registered it: the same call again is a replay
    created_at    timestamptz NOT NULL
);
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE POLICY self ON users TO parley_app
    USING (id = nullif(current_setting('app.user_id', true), '')::uuid)
    WITH CHECK (id = nullif(current_setting('app.user_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON users TO parley_app;

CREATE TABLE workspace_members (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    user_id      uuid NOT NULL REFERENCES users (id),
    role         text NOT NULL CHECK (role IN ('owner', 'admin', 'editor', 'viewer')),
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, user_id)
);
CREATE INDEX workspace_members_by_user ON workspace_members (user_id, created_at);
SELECT app.wall('workspace_members');
GRANT SELECT, INSERT, UPDATE, DELETE ON workspace_members TO parley_app;

-- Every claim of a session's tokens is in its row, so that a token can be made again and none is stored.
CREATE TABLE sessions (
    workspace_id    uuid NOT NULL,
    id              uuid NOT NULL UNIQUE,
    user_id         uuid NOT NULL,
    generation      integer NOT NULL CHECK (generation >= 1), -- of the refresh token that is good now
    rotated_at      timestamptz NOT NULL,                     -- when that generation began: the iat of its tokens
    retirements     timestamptz[] NOT NULL DEFAULT '{}',      -- when the generations before it ended, newest last: each has its own grace
    kid             text NOT NULL,                            -- the key that signed them
    idle_expires_at timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    revoked_at      timestamptz,
    created_at      timestamptz NOT NULL,
    ip              inet,
    user_agent      text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, user_id) REFERENCES workspace_members (workspace_id, user_id) ON DELETE CASCADE
);
CREATE INDEX sessions_by_user ON sessions (workspace_id, user_id, created_at);
SELECT app.wall('sessions');
GRANT SELECT, INSERT, UPDATE ON sessions TO parley_app;

-- The narrow doors: the only statements that look across workspaces. db/README.md lists them.
GRANT SELECT ON users, workspace_members, sessions TO parley_door;
CREATE POLICY door ON users FOR SELECT TO parley_door USING (true);
CREATE POLICY door ON workspace_members FOR SELECT TO parley_door USING (true);
CREATE POLICY door ON sessions FOR SELECT TO parley_door USING (true);

-- The first statement of every call: lets a living session of a member into a workspace, and raises for all else.
CREATE FUNCTION app.enter(session uuid, usr uuid, workspace uuid) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    alive boolean;
    role  text;
BEGIN
    SELECT s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now(), m.role
      INTO alive, role
      FROM public.sessions s
      LEFT JOIN public.workspace_members m ON m.workspace_id = workspace AND m.user_id = s.user_id
     WHERE s.id = session AND s.user_id = usr;
    IF alive IS NOT TRUE THEN
        RAISE EXCEPTION 'the session has ended' USING ERRCODE = 'PY401';
    END IF;
    IF role IS NULL THEN
        RAISE EXCEPTION 'not a member of this workspace' USING ERRCODE = 'PY403';
    END IF;
    PERFORM set_config('app.workspace_id', workspace::text, true), set_config('app.user_id', usr::text, true);
    RETURN role;
END $$;

-- For login: the user behind an address, with the workspace that it joined first.
CREATE FUNCTION app.find_login(address text)
    RETURNS TABLE (user_id uuid, password_hash text, operation_id uuid, workspace_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.id, u.password_hash, u.operation_id, m.workspace_id
      FROM public.users u
      JOIN public.workspace_members m ON m.user_id = u.id
     WHERE u.email = address
     ORDER BY m.created_at, m.workspace_id
     LIMIT 1
$$;

-- For refresh, which has no access token: whose session this is.
CREATE FUNCTION app.find_session(session uuid) RETURNS TABLE (workspace_id uuid, user_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.workspace_id, s.user_id
      FROM public.sessions s
      JOIN public.workspace_members m ON m.workspace_id = s.workspace_id AND m.user_id = s.user_id
     WHERE s.id = session
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.enter(uuid, uuid, uuid) OWNER TO parley_door;
ALTER FUNCTION app.find_login(text) OWNER TO parley_door;
ALTER FUNCTION app.find_session(uuid) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.enter(uuid, uuid, uuid), app.find_login(text), app.find_session(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.enter(uuid, uuid, uuid), app.find_login(text), app.find_session(uuid) TO parley_app;
