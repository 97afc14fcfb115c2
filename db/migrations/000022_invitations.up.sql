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

-- Deleting a workspace. It can be taken back for 30 days; then everything of it is removed, and what stays is that it was.
CREATE INDEX workspaces_deleted ON workspaces (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE TABLE workspace_purges (
    id        uuid PRIMARY KEY, -- of the workspace
    purged_at timestamptz NOT NULL DEFAULT now(),
    removed   jsonb NOT NULL -- {table: rows}
);
ALTER TABLE workspace_purges ENABLE ROW LEVEL SECURITY;
ALTER TABLE workspace_purges FORCE ROW LEVEL SECURITY;
GRANT INSERT ON workspace_purges TO parley_door;
CREATE POLICY door ON workspace_purges FOR INSERT TO parley_door WITH CHECK (true);

-- Lets the door remove rows of workspaces that were deleted 30 days ago, and of no others, whatever it is asked.
CREATE FUNCTION app.let_purge(tab regclass) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    command text;
BEGIN
    FOREACH command IN ARRAY ARRAY['DELETE', 'SELECT'] LOOP
        EXECUTE format($policy$CREATE POLICY %I ON %s FOR %s TO parley_door USING (EXISTS (
            SELECT FROM public.workspaces w WHERE w.id = workspace_id AND w.deleted_at < now() - interval '30 days'))$policy$,
            CASE command WHEN 'DELETE' THEN 'purge' ELSE 'purge_look' END, tab, command);
    END LOOP;
    EXECUTE format('GRANT DELETE, SELECT (workspace_id) ON %s TO parley_door', tab);
END $$;
REVOKE EXECUTE ON FUNCTION app.let_purge FROM PUBLIC;
SELECT app.let_purge(a.attrelid)
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'workspace_id' AND NOT a.attisdropped;
CREATE POLICY purge ON workspaces FOR DELETE TO parley_door USING (deleted_at < now() - interval '30 days');
GRANT DELETE ON workspaces TO parley_door;
CREATE POLICY purge ON users FOR DELETE TO parley_door
    USING (NOT EXISTS (SELECT FROM public.workspace_members m WHERE m.user_id = users.id));
GRANT DELETE ON users TO parley_door;

-- A new table of a workspace's goes with it too.
CREATE OR REPLACE FUNCTION app.wall(tab regclass) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', tab);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', tab);
    EXECUTE format($policy$CREATE POLICY tenant ON %s TO parley_app
        USING (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid)
        WITH CHECK (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid)$policy$, tab);
    PERFORM app.let_purge(tab);
END $$;

-- The one who may remove rows of the audit log is the door, whose policies leave it those of purged workspaces.
CREATE OR REPLACE FUNCTION app.refuse_change() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_user = 'parley_door' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

-- Which workspaces are to be purged.
CREATE FUNCTION app.workspaces_to_purge(most integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT w.id FROM public.workspaces w WHERE w.deleted_at < now() - interval '30 days' ORDER BY w.deleted_at LIMIT most
$$;

-- Removes every row of a workspace that was deleted 30 days ago, and the accounts of those who were in no other. The tables
-- are found in the catalog, so that a new one needs no thought; a table goes when none that points at it is left.
CREATE FUNCTION app.purge_workspace(workspace uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    remaining regclass[] := ARRAY(
        SELECT a.attrelid::regclass FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'workspace_id' AND NOT a.attisdropped);
    people    uuid[] := ARRAY(SELECT m.user_id FROM public.workspace_members m WHERE m.workspace_id = workspace);
    removed   jsonb := '{}';
    tab       regclass;
    n         bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('purge of ' || workspace, 0)) THEN
        RETURN false; -- another process is at it
    END IF;
    WHILE cardinality(remaining) > 0 LOOP
        SELECT t INTO tab FROM unnest(remaining) t
         WHERE NOT EXISTS (SELECT FROM pg_constraint c
                            WHERE c.contype = 'f' AND c.confrelid = t AND c.conrelid <> t AND NOT c.condeferrable AND c.conrelid = ANY (remaining))
         LIMIT 1;
        IF tab IS NULL THEN
            RAISE EXCEPTION 'tables point at each other in a circle: %', remaining;
        END IF;
        EXECUTE format('DELETE FROM %s WHERE workspace_id = $1', tab) USING workspace;
        GET DIAGNOSTICS n = ROW_COUNT;
        IF n > 0 THEN
            removed := removed || jsonb_build_object(tab::text, n);
        END IF;
        remaining := array_remove(remaining, tab);
    END LOOP;
    DELETE FROM public.workspaces w WHERE w.id = workspace;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the workspace is not to be purged'; -- it was restored; whatever was removed is there again
    END IF;
    DELETE FROM public.users u WHERE u.id = ANY (people) AND NOT EXISTS (SELECT FROM public.workspace_members m WHERE m.user_id = u.id);
    INSERT INTO public.workspace_purges (id, removed) VALUES (workspace, removed);
    RETURN true;
END $$;

-- What comes in for a deleted workspace is for nobody.
CREATE OR REPLACE FUNCTION app.find_webhook_endpoint(endpoint uuid)
    RETURNS TABLE (workspace_id uuid, status text, secrets jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.workspace_id, e.status, e.secrets
      FROM public.webhook_endpoints e
      JOIN public.workspaces w ON w.id = e.workspace_id AND w.deleted_at IS NULL
     WHERE e.id = endpoint AND e.deleted_at IS NULL
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.find_invitation(bytea) OWNER TO parley_door;
ALTER FUNCTION app.has_member(text) OWNER TO parley_door;
ALTER FUNCTION app.workspaces_to_purge(integer) OWNER TO parley_door;
ALTER FUNCTION app.purge_workspace(uuid) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.find_invitation(bytea), app.has_member(text), app.workspaces_to_purge(integer), app.purge_workspace(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.find_invitation(bytea), app.has_member(text), app.workspaces_to_purge(integer), app.purge_workspace(uuid) TO parley_app;
