-- Accounts that an identity provider (OpenID Connect) signs in: one row for each subject of an issuer. The hash of the password of an
-- account without one is empty, which no password matches.
CREATE TABLE account_identities (
    user_id    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id         uuid NOT NULL,
    provider   text NOT NULL, -- its id in OIDC_PROVIDERS at the last sign-in
    issuer     text NOT NULL CHECK (char_length(issuer) BETWEEN 1 AND 1000),
    subject    text NOT NULL CHECK (char_length(subject) BETWEEN 1 AND 255),
    email      text NOT NULL, -- as the provider gave it at the last sign-in; '' for none
    created_at timestamptz NOT NULL,
    used_at    timestamptz NOT NULL,
    PRIMARY KEY (user_id, id)
);
CREATE UNIQUE INDEX account_identities_by_subject ON account_identities (issuer, subject);
ALTER TABLE account_identities ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_identities FORCE ROW LEVEL SECURITY;
CREATE POLICY self ON account_identities TO parley_app
    USING (user_id = nullif(current_setting('app.user_id', true), '')::uuid)
    WITH CHECK (user_id = nullif(current_setting('app.user_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON account_identities TO parley_app;
GRANT SELECT (user_id, issuer, subject) ON account_identities TO parley_door;
CREATE POLICY door ON account_identities FOR SELECT TO parley_door USING (true);

-- Sign-ins that have come back from an identity provider: nobody is known by then. A row says that a state was used, until the state
-- would have ended anyway; what the provider has said is in it until its code is changed for a session. State and code are hashes.
CREATE TABLE sign_ins (
    state_hash   bytea PRIMARY KEY CHECK (octet_length(state_hash) = 32),
    code_hash    bytea CHECK (octet_length(code_hash) = 32), -- NULL: there is no code yet, or it was used
    browser_hash bytea CHECK (octet_length(browser_hash) = 32),
    challenge    text, -- of the application (S256); '' for none
    claims       jsonb,
    code_ends_at timestamptz,
    expires_at   timestamptz NOT NULL
);
CREATE UNIQUE INDEX sign_ins_by_code ON sign_ins (code_hash) WHERE code_hash IS NOT NULL;
CREATE INDEX sign_ins_by_end ON sign_ins (expires_at);
ALTER TABLE sign_ins ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign_ins FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON sign_ins TO parley_door;
CREATE POLICY door ON sign_ins TO parley_door USING (true) WITH CHECK (true);

-- Whose account a subject of an issuer is.
CREATE FUNCTION app.find_identity(its_issuer text, its_subject text) RETURNS TABLE (user_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT i.user_id FROM public.account_identities i WHERE i.issuer = its_issuer AND i.subject = its_subject;
$$;

-- Uses a state, once: false where it was used before.
CREATE FUNCTION app.claim_sign_in(its_state bytea, its_end timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.sign_ins (state_hash, expires_at) VALUES (its_state, its_end) ON CONFLICT DO NOTHING;
    RETURN FOUND;
END $$;

-- Stores what the provider has said, and the hash of the code that it is changed for a session with.
CREATE FUNCTION app.finish_sign_in(its_state bytea, its_code bytea, its_browser bytea, its_challenge text, its_claims jsonb, its_end timestamptz) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE public.sign_ins s
       SET code_hash = its_code, browser_hash = its_browser, challenge = its_challenge, claims = its_claims, code_ends_at = its_end,
           expires_at = greatest(s.expires_at, its_end)
     WHERE s.state_hash = its_state;
$$;

CREATE FUNCTION app.find_sign_in(its_code bytea) RETURNS TABLE (browser_hash bytea, challenge text, claims jsonb, code_ends_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.browser_hash, s.challenge, s.claims, s.code_ends_at FROM public.sign_ins s WHERE s.code_hash = its_code;
$$;

-- Uses a code, once, and forgets what the provider has said: false where it was used before.
CREATE FUNCTION app.use_sign_in(its_code bytea) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.sign_ins s SET code_hash = NULL, browser_hash = NULL, challenge = NULL, claims = NULL, code_ends_at = NULL
     WHERE s.code_hash = its_code;
    RETURN FOUND;
END $$;

CREATE FUNCTION app.expire_sign_ins(max_rows integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    removed integer;
BEGIN
    DELETE FROM public.sign_ins s USING (
        SELECT o.state_hash FROM public.sign_ins o WHERE o.expires_at < now() LIMIT max_rows
    ) old WHERE s.state_hash = old.state_hash;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.find_identity(text, text) OWNER TO parley_door;
ALTER FUNCTION app.claim_sign_in(bytea, timestamptz) OWNER TO parley_door;
ALTER FUNCTION app.finish_sign_in(bytea, bytea, bytea, text, jsonb, timestamptz) OWNER TO parley_door;
ALTER FUNCTION app.find_sign_in(bytea) OWNER TO parley_door;
ALTER FUNCTION app.use_sign_in(bytea) OWNER TO parley_door;
ALTER FUNCTION app.expire_sign_ins(integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.find_identity(text, text), app.claim_sign_in(bytea, timestamptz),
    app.finish_sign_in(bytea, bytea, bytea, text, jsonb, timestamptz), app.find_sign_in(bytea), app.use_sign_in(bytea),
    app.expire_sign_ins(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.find_identity(text, text), app.claim_sign_in(bytea, timestamptz),
    app.finish_sign_in(bytea, bytea, bytea, text, jsonb, timestamptz), app.find_sign_in(bytea), app.use_sign_in(bytea),
    app.expire_sign_ins(integer) TO parley_app;
