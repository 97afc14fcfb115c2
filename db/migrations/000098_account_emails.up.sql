-- Emails about accounts. An account is outside of any workspace, and jobs belong to workspaces, so these wait here. There
-- is no secret in a row: links are made when the email is sent. A request to reset a password is a row with an address,
-- whether an account has the address or not: looking it up is left to who sends, so that the answer takes the same time.
CREATE TABLE account_emails (
    id         uuid PRIMARY KEY,
    kind       text NOT NULL,
    user_id    uuid REFERENCES users (id) ON DELETE CASCADE, -- NULL: of whoever has the address
    address    text NOT NULL CHECK (char_length(address) BETWEEN 3 AND 320),
    language   text NOT NULL,
    trace_id   text NOT NULL,
    attempt    integer NOT NULL DEFAULT 0,
    run_at     timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX account_emails_next ON account_emails (run_at, id);
CREATE INDEX account_emails_of_user ON account_emails (user_id) WHERE user_id IS NOT NULL;
ALTER TABLE account_emails ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_emails FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON account_emails TO parley_door;
CREATE POLICY door ON account_emails TO parley_door USING (true) WITH CHECK (true);

-- What an email about an account lets its reader do, once: set a password, or prove the address. Only the newest of a
-- purpose is valid. Tokens and codes are kept as hashes.
CREATE TABLE account_links (
    user_id     uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose     text NOT NULL,
    token_hash  bytea NOT NULL CHECK (octet_length(token_hash) = 32),
    code_hash   bytea CHECK (octet_length(code_hash) = 32),
    address     text NOT NULL, -- where it was sent to
    wrong_codes integer NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (user_id, purpose)
);
CREATE UNIQUE INDEX account_links_by_token ON account_links (token_hash);
CREATE INDEX account_links_by_end ON account_links (expires_at);
ALTER TABLE account_links ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_links FORCE ROW LEVEL SECURITY;
CREATE POLICY self ON account_links TO parley_app
    USING (user_id = nullif(current_setting('app.user_id', true), '')::uuid)
    WITH CHECK (user_id = nullif(current_setting('app.user_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON account_links TO parley_app;
GRANT SELECT, DELETE ON account_links TO parley_door;
CREATE POLICY door ON account_links TO parley_door USING (true) WITH CHECK (true);

CREATE FUNCTION app.queue_account_email(its_id uuid, its_kind text, its_user uuid, its_address text, its_language text, its_trace text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO public.account_emails (id, kind, user_id, address, language, trace_id)
    VALUES (its_id, its_kind, its_user, its_address, its_language, its_trace);
$$;

-- Takes the emails that are due, for lease_seconds; after that, who has died with them no longer holds them.
CREATE FUNCTION app.claim_account_emails(max_rows integer, lease_seconds double precision)
    RETURNS TABLE (id uuid, kind text, user_id uuid, address text, language text, trace_id text, attempt integer, created_at timestamptz)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH due AS (
        SELECT e.id FROM public.account_emails e WHERE e.run_at <= now() ORDER BY e.run_at, e.id LIMIT max_rows FOR UPDATE SKIP LOCKED
    )
    UPDATE public.account_emails e SET attempt = e.attempt + 1, run_at = now() + make_interval(secs => lease_seconds)
      FROM due WHERE e.id = due.id
    RETURNING e.id, e.kind, e.user_id, e.address, e.language, e.trace_id, e.attempt, e.created_at;
$$;

-- Ends an attempt: the email is done with, or due again in some seconds. Nothing happens where another attempt has begun.
CREATE FUNCTION app.end_account_email(its_id uuid, its_attempt integer, again_seconds double precision) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF again_seconds IS NULL THEN
        DELETE FROM public.account_emails e WHERE e.id = its_id AND e.attempt = its_attempt;
    ELSE
        UPDATE public.account_emails e SET run_at = now() + make_interval(secs => again_seconds) WHERE e.id = its_id AND e.attempt = its_attempt;
    END IF;
END $$;

-- Whose link a token is.
CREATE FUNCTION app.find_account_link(its_purpose text, its_hash bytea) RETURNS TABLE (user_id uuid, address text, expires_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT l.user_id, l.address, l.expires_at FROM public.account_links l WHERE l.token_hash = its_hash AND l.purpose = its_purpose;
$$;

CREATE FUNCTION app.expire_account_links(max_rows integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    removed integer;
BEGIN
    DELETE FROM public.account_links l USING (
        SELECT o.user_id, o.purpose FROM public.account_links o WHERE o.expires_at < now() LIMIT max_rows
    ) old WHERE l.user_id = old.user_id AND l.purpose = old.purpose;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.queue_account_email(uuid, text, uuid, text, text, text) OWNER TO parley_door;
ALTER FUNCTION app.claim_account_emails(integer, double precision) OWNER TO parley_door;
ALTER FUNCTION app.end_account_email(uuid, integer, double precision) OWNER TO parley_door;
ALTER FUNCTION app.find_account_link(text, bytea) OWNER TO parley_door;
ALTER FUNCTION app.expire_account_links(integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.queue_account_email(uuid, text, uuid, text, text, text), app.claim_account_emails(integer, double precision),
    app.end_account_email(uuid, integer, double precision), app.find_account_link(text, bytea), app.expire_account_links(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.queue_account_email(uuid, text, uuid, text, text, text), app.claim_account_emails(integer, double precision),
    app.end_account_email(uuid, integer, double precision), app.find_account_link(text, bytea), app.expire_account_links(integer) TO parley_app;

-- When the user has proved that the address is its own; NULL: not yet. Accounts from before count as verified: they keep the
-- default that the column has for a moment.
ALTER TABLE users ADD COLUMN verified_at timestamptz DEFAULT now();
ALTER TABLE users ALTER COLUMN verified_at DROP DEFAULT;
