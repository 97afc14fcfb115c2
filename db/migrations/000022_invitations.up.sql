-- Invitations into a workspace. A token is good once, and kept as a hash: it is 32 random bytes, so there is nothing to guess.
CREATE TABLE invitations (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id           uuid NOT NULL,
    email        text NOT NULL CHECK (email = lower(btrim(email))),
    role         text NOT NULL CHECK (role IN ('owner', 'admin', 'editor', 'viewer')),
    token_hash   bytea NOT NULL CONSTRAINT invitations_token_key UNIQUE CHECK (octet_length(token_hash) = 32),
    invited_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    accepted_at  timestamptz,
    accepted_by  uuid,
    operation_id uuid, -- of the call that accepted: the same call again is a replay
    revoked_at   timestamptz,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX invitations_open ON invitations (workspace_id, email) WHERE accepted_at IS NULL AND revoked_at IS NULL;
SELECT app.wall('invitations');
GRANT SELECT, INSERT, UPDATE (accepted_at, accepted_by, operation_id, revoked_at) ON invitations TO parley_app;
GRANT SELECT (workspace_id, id, email, role, token_hash, expires_at, accepted_at, operation_id, revoked_at) ON invitations TO parley_door;
CREATE POLICY door ON invitations FOR SELECT TO parley_door USING (true);

-- For whoever brings a token, and is in no workspace yet: the invitation that has not been revoked, and the user of its
-- address, if there is one.
CREATE FUNCTION app.find_invitation(print bytea)
    RETURNS TABLE (workspace_id uuid, id uuid, email text, role text, expires_at timestamptz, accepted boolean, operation_id uuid,
                   user_id uuid, password_hash text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT i.workspace_id, i.id, i.email, i.role, i.expires_at, i.accepted_at IS NOT NULL, i.operation_id, u.id, u.password_hash
      FROM public.invitations i
      JOIN public.workspaces w ON w.id = i.workspace_id AND w.deleted_at IS NULL
      LEFT JOIN public.users u ON u.email = i.email
     WHERE i.token_hash = print AND i.revoked_at IS NULL
$$;

-- Whether the workspace of this transaction has a member with an address.
CREATE FUNCTION app.has_member(address text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM public.workspace_members m
                     JOIN public.users u ON u.id = m.user_id
                    WHERE m.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid AND u.email = address)
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.find_invitation(bytea) OWNER TO parley_door;
ALTER FUNCTION app.has_member(text) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.find_invitation(bytea), app.has_member(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.find_invitation(bytea), app.has_member(text) TO parley_app;
