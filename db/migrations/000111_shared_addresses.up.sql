-- An account that was made without claiming its address (shares_address) leaves it to whoever proves it. Of all others an
-- address has one, as before: the index has the name of the former constraint, by which a process of the release before
-- knows that an address is taken. Those accounts claim their addresses, as the default says.
ALTER TABLE users ADD COLUMN shares_address boolean NOT NULL DEFAULT false;
ALTER TABLE users DROP CONSTRAINT users_email_key;
CREATE UNIQUE INDEX users_email_key ON users (email) WHERE NOT shares_address;
CREATE UNIQUE INDEX users_email_verified ON users (email) WHERE verified_at IS NOT NULL;
-- A call registers one account, however often it is sent. All accounts of an address are found by it too.
CREATE UNIQUE INDEX users_registration ON users (email, operation_id);
-- Accounts that wait for the proof of their address, by age.
CREATE INDEX users_unproved ON users (created_at) WHERE shares_address;

GRANT UPDATE (shares_address) ON users TO parley_door;
CREATE POLICY door_yield ON users FOR UPDATE TO parley_door USING (verified_at IS NULL) WITH CHECK (verified_at IS NULL);

-- The account that has proved the address comes first, then the one that claims it, then the newest.
CREATE OR REPLACE FUNCTION app.find_login(addresses text[], wanted uuid)
    RETURNS TABLE (user_id uuid, password_hash text, operation_id uuid, workspace_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.id, u.password_hash, u.operation_id, found.workspace_id
      FROM public.users u
      LEFT JOIN LATERAL (
           SELECT m.workspace_id
             FROM public.workspace_members m
             JOIN public.workspaces w ON w.id = m.workspace_id
            WHERE m.user_id = u.id AND (wanted IS NULL OR m.workspace_id = wanted)
            ORDER BY w.deleted_at IS NOT NULL, m.created_at, m.workspace_id
            LIMIT 1) found ON true
     WHERE u.email = ANY (addresses)
     ORDER BY u.verified_at IS NULL, array_position(addresses, u.email), u.shares_address, u.created_at DESC, u.id
     LIMIT 1
$$;

-- Releases before the last one call these three: one account of an address is enough for them.
CREATE OR REPLACE FUNCTION app.find_login(address text, wanted uuid)
    RETURNS TABLE (user_id uuid, password_hash text, operation_id uuid, workspace_id uuid)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT l.user_id, l.password_hash, l.operation_id, l.workspace_id FROM app.find_login(ARRAY[address], wanted) l;
END $$;
CREATE OR REPLACE FUNCTION app.find_login(address text)
    RETURNS TABLE (user_id uuid, password_hash text, operation_id uuid, workspace_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.id, u.password_hash, u.operation_id, m.workspace_id
      FROM public.users u
      JOIN public.workspace_members m ON m.user_id = u.id
     WHERE u.email = address
     ORDER BY u.verified_at IS NULL, u.shares_address, u.created_at DESC, m.created_at, m.workspace_id
     LIMIT 1
$$;
CREATE OR REPLACE FUNCTION app.find_invitation(print bytea)
    RETURNS TABLE (workspace_id uuid, id uuid, email text, role text, expires_at timestamptz, accepted boolean, operation_id uuid, user_id uuid, password_hash text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT i.workspace_id, i.id, i.email, i.role, i.expires_at, i.accepted_at IS NOT NULL, i.operation_id, u.user_id, u.password_hash
      FROM public.invitations i
      JOIN public.workspaces w ON w.id = i.workspace_id AND w.deleted_at IS NULL
      LEFT JOIN LATERAL app.find_login(ARRAY[i.email], NULL) u ON true
     WHERE i.token_hash = print AND i.revoked_at IS NULL
$$;

-- The accounts of an address that a password may be tried for: the one that has proved the address first, then some of those
-- that have not. workspace_id as find_login has it.
CREATE FUNCTION app.find_logins(addresses text[], wanted uuid, max_unverified integer)
    RETURNS TABLE (user_id uuid, password_hash text, operation_id uuid, verified boolean, workspace_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.id, u.password_hash, u.operation_id, u.verified_at IS NOT NULL, found.workspace_id
      FROM (SELECT s.*, row_number() OVER (PARTITION BY s.verified_at IS NULL
                        ORDER BY array_position(addresses, s.email), s.shares_address, s.created_at DESC, s.id) AS place
              FROM public.users s WHERE s.email = ANY (addresses)) u
      LEFT JOIN LATERAL (
           SELECT m.workspace_id
             FROM public.workspace_members m
             JOIN public.workspaces w ON w.id = m.workspace_id
            WHERE m.user_id = u.id AND (wanted IS NULL OR m.workspace_id = wanted)
            ORDER BY w.deleted_at IS NOT NULL, m.created_at, m.workspace_id
            LIMIT 1) found ON true
     WHERE u.place <= CASE WHEN u.verified_at IS NULL THEN max_unverified ELSE 1 END
     ORDER BY u.verified_at IS NULL, u.place
$$;

-- The account that a call has registered, whoever else has its address.
CREATE FUNCTION app.find_registration(address text, operation uuid)
    RETURNS TABLE (user_id uuid, password_hash text, verified boolean, workspace_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.id, u.password_hash, u.verified_at IS NOT NULL, found.workspace_id
      FROM public.users u
      LEFT JOIN LATERAL (
           SELECT m.workspace_id
             FROM public.workspace_members m
             JOIN public.workspaces w ON w.id = m.workspace_id
            WHERE m.user_id = u.id
            ORDER BY w.deleted_at IS NOT NULL, m.created_at, m.workspace_id
            LIMIT 1) found ON true
     WHERE u.email = address AND u.operation_id = operation
$$;

-- Takes an address, in all its forms, from the accounts that claim it without a proof, for the user of the transaction, who has
-- one. False where another account has proved it.
CREATE FUNCTION app.yield_address(addresses text[]) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    self uuid := nullif(current_setting('app.user_id', true), '')::uuid;
BEGIN
    IF EXISTS (SELECT FROM public.users u WHERE u.email = ANY (addresses) AND u.verified_at IS NOT NULL AND u.id <> self) THEN
        RETURN false;
    END IF;
    UPDATE public.users u SET shares_address = true WHERE u.email = ANY (addresses) AND u.verified_at IS NULL AND NOT u.shares_address AND u.id <> self;
    RETURN true;
END $$;

-- Whether one of these people has proved its address.
CREATE FUNCTION app.has_verified(people uuid[]) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM public.users u WHERE u.id = ANY (people) AND u.verified_at IS NOT NULL)
$$;

-- Accounts that have not proved their address in time, or that are more than an address may have, and their workspaces that nobody
-- else is in and that are not deleted; without a workspace where they are in none.
CREATE FUNCTION app.locate_unproved(older_seconds double precision, max_of_address integer, max_rows integer) RETURNS TABLE (user_id uuid, workspace_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.id, m.workspace_id
      FROM (SELECT s.id, s.created_at, row_number() OVER (PARTITION BY s.email ORDER BY s.created_at DESC, s.id) AS place
              FROM public.users s WHERE s.shares_address AND s.verified_at IS NULL) u
      LEFT JOIN public.workspace_members m ON m.user_id = u.id
      LEFT JOIN public.workspaces w ON w.id = m.workspace_id
     WHERE (u.created_at < now() - make_interval(secs => older_seconds) OR u.place > max_of_address)
       AND (m.workspace_id IS NULL OR w.deleted_at IS NULL AND NOT EXISTS (
            SELECT FROM public.workspace_members o WHERE o.workspace_id = m.workspace_id AND o.user_id <> m.user_id))
     LIMIT max_rows
$$;

-- Removes such an account where it is in no workspace.
CREATE FUNCTION app.remove_unproved(account uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM public.users u WHERE u.id = account AND u.shares_address AND u.verified_at IS NULL
       AND NOT EXISTS (SELECT FROM public.workspace_members m WHERE m.user_id = account);
    RETURN FOUND;
END $$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.locate_unproved(double precision, integer, integer) OWNER TO parley_door;
ALTER FUNCTION app.remove_unproved(uuid) OWNER TO parley_door;
ALTER FUNCTION app.find_logins(text[], uuid, integer) OWNER TO parley_door;
ALTER FUNCTION app.find_registration(text, uuid) OWNER TO parley_door;
ALTER FUNCTION app.yield_address(text[]) OWNER TO parley_door;
ALTER FUNCTION app.has_verified(uuid[]) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.find_logins(text[], uuid, integer), app.find_registration(text, uuid), app.yield_address(text[]), app.has_verified(uuid[]),
    app.locate_unproved(double precision, integer, integer), app.remove_unproved(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.find_logins(text[], uuid, integer), app.find_registration(text, uuid), app.yield_address(text[]), app.has_verified(uuid[]),
    app.locate_unproved(double precision, integer, integer), app.remove_unproved(uuid) TO parley_app;

-- Whether the operator's models serve an actor of the transaction's workspace: a member, an API key or an endpoint by who is
-- responsible for it, anybody else by the owners. One of these people must have proved its address.
CREATE FUNCTION app.has_verified_sponsor(actor uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    workspace uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    person uuid;
BEGIN
    SELECT m.user_id INTO person FROM public.workspace_members m WHERE m.workspace_id = workspace AND m.user_id = actor;
    IF person IS NULL THEN
        SELECT coalesce(k.responsible_id, k.created_by) INTO person FROM public.api_keys k WHERE k.workspace_id = workspace AND k.id = actor;
    END IF;
    IF person IS NULL THEN
        SELECT coalesce(e.responsible_id, e.created_by) INTO person FROM public.webhook_endpoints e WHERE e.workspace_id = workspace AND e.id = actor;
    END IF;
    IF person IS NOT NULL THEN
        RETURN app.has_verified(ARRAY[person]);
    END IF;
    RETURN app.has_verified(ARRAY(SELECT m.user_id FROM public.workspace_members m WHERE m.workspace_id = workspace AND m.role = 'owner'));
END $$;
REVOKE EXECUTE ON FUNCTION app.has_verified_sponsor(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.has_verified_sponsor(uuid) TO parley_app;
