-- Second factors of accounts: an authenticator app that makes codes by time (RFC 6238), recovery codes for when it is lost, and
-- tickets of log-ins that wait for a code. All belong to a user and to no workspace. The secret of the app is sealed; recovery
-- codes and tickets, which have at least 120 random bits, are stored as hashes.
CREATE TABLE account_totp (
    user_id      uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    id           uuid NOT NULL,              -- of this secret, which is sealed for it
    sealed       bytea NOT NULL,
    last_step    bigint NOT NULL DEFAULT 0,  -- the newest time step whose code was accepted: none is accepted twice
    wrong_codes  integer NOT NULL DEFAULT 0, -- tried since the last right one
    created_at   timestamptz NOT NULL,
    confirmed_at timestamptz                 -- NULL: no code of it was shown yet, so that it is no factor
);
ALTER TABLE account_totp ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_totp FORCE ROW LEVEL SECURITY;
CREATE POLICY self ON account_totp TO parley_app
    USING (user_id = nullif(current_setting('app.user_id', true), '')::uuid)
    WITH CHECK (user_id = nullif(current_setting('app.user_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON account_totp TO parley_app;
GRANT SELECT (user_id, sealed, confirmed_at) ON account_totp TO parley_door;
CREATE POLICY door ON account_totp FOR SELECT TO parley_door USING (true);

CREATE TABLE account_recovery_codes (
    user_id    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash  bytea NOT NULL CHECK (octet_length(code_hash) = 32),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);
ALTER TABLE account_recovery_codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_recovery_codes FORCE ROW LEVEL SECURITY;
CREATE POLICY self ON account_recovery_codes TO parley_app
    USING (user_id = nullif(current_setting('app.user_id', true), '')::uuid)
    WITH CHECK (user_id = nullif(current_setting('app.user_id', true), '')::uuid);
GRANT SELECT, INSERT, DELETE ON account_recovery_codes TO parley_app;

CREATE TABLE account_tickets (
    user_id             uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token_hash          bytea NOT NULL CHECK (octet_length(token_hash) = 32),
    wanted_workspace_id uuid,            -- of the session that it opens; NULL: in none
    methods             text[] NOT NULL, -- how the user has proved already who it is
    password_print      bytea NOT NULL,  -- of the hash of the password: another password makes the ticket worthless
    tries               integer NOT NULL DEFAULT 0,
    created_at          timestamptz NOT NULL,
    expires_at          timestamptz NOT NULL,
    PRIMARY KEY (user_id, token_hash)
);
CREATE INDEX account_tickets_by_end ON account_tickets (expires_at);
ALTER TABLE account_tickets ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_tickets FORCE ROW LEVEL SECURITY;
CREATE POLICY self ON account_tickets TO parley_app
    USING (user_id = nullif(current_setting('app.user_id', true), '')::uuid)
    WITH CHECK (user_id = nullif(current_setting('app.user_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON account_tickets TO parley_app;
GRANT SELECT, DELETE ON account_tickets TO parley_door;
CREATE POLICY door ON account_tickets TO parley_door USING (true) WITH CHECK (true);

CREATE FUNCTION app.expire_account_tickets(max_rows integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    removed integer;
BEGIN
    DELETE FROM public.account_tickets t USING (
        SELECT o.user_id, o.token_hash FROM public.account_tickets o WHERE o.expires_at < now() LIMIT max_rows
    ) old WHERE t.user_id = old.user_id AND t.token_hash = old.token_hash;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;

-- Users whose secret is not sealed with the key of a mark.
CREATE FUNCTION app.users_to_reseal(mark bytea, after uuid, max_rows integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.user_id FROM public.account_totp f
     WHERE substring(f.sealed FROM 1 FOR 9) <> mark AND f.user_id > after ORDER BY f.user_id LIMIT max_rows;
$$;

CREATE OR REPLACE FUNCTION app.sealed_keys() RETURNS TABLE (kind text, key bytea, count bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
    SELECT s.kind, CASE WHEN octet_length(s.mark) >= 9 AND get_byte(s.mark, 0) = 2 THEN substring(s.mark FROM 2 FOR 8) ELSE '' END, count(*)
      FROM (
        SELECT 'model_keys' AS kind, substring(m.sealed FROM 1 FOR 9) AS mark FROM public.model_keys m
         UNION ALL
        SELECT 'model_keys', substring(e.sealed FROM 1 FOR 9) FROM public.embedding_keys e
         UNION ALL
        SELECT 'second_factors', substring(f.sealed FROM 1 FOR 9) FROM public.account_totp f
         UNION ALL
        SELECT t.kind, CASE WHEN t.mark ~ '^[A-Za-z0-9+/]{12}$' THEN decode(t.mark, 'base64') ELSE '' END
          FROM (
            SELECT 'endpoint_secrets' AS kind, left(k ->> 'sealed', 12) AS mark FROM public.webhook_endpoints e, jsonb_array_elements(e.secrets) k
             UNION ALL
            SELECT 'subscription_secrets', left(k ->> 'sealed', 12) FROM public.webhook_subscriptions w, jsonb_array_elements(w.secrets) k
             UNION ALL
            SELECT 'emails', left(j.payload ->> 'letter', 12) FROM public.job_queue j WHERE j.kind = 'mail.send'
             UNION ALL
            SELECT 'emails', left(d.payload ->> 'letter', 12) FROM public.dead_letter_queue d WHERE d.kind = 'mail.send'
          ) t
         UNION ALL
        SELECT 'answers', substring(o.body FROM 1 FOR 9) FROM public.operations o WHERE o.sealed AND o.body IS NOT NULL
         UNION ALL
        SELECT 'audit_heads', '\x02'::bytea || coalesce(h.key_id, '') FROM public.audit_seal_heads h WHERE h.mac IS NOT NULL
         UNION ALL
        SELECT 'retired_keys', substring(r.sealed FROM 1 FOR 9) FROM public.retired_keys r
      ) s
     GROUP BY 1, 2 ORDER BY 1, 2
$function$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.expire_account_tickets(integer) OWNER TO parley_door;
ALTER FUNCTION app.users_to_reseal(bytea, uuid, integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.expire_account_tickets(integer), app.users_to_reseal(bytea, uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.expire_account_tickets(integer), app.users_to_reseal(bytea, uuid, integer) TO parley_app;
