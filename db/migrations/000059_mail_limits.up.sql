-- How many emails went out in a day (UTC), by keyed hashes of what for and of whom: the workspace, the person, the mailbox.
-- What one purpose uses up is not missing for another.
CREATE TABLE mail_counts (
    scope bytea NOT NULL CHECK (octet_length(scope) = 32),
    day   date NOT NULL,
    sent  integer NOT NULL,
    PRIMARY KEY (scope, day)
);
ALTER TABLE mail_counts ENABLE ROW LEVEL SECURITY;
ALTER TABLE mail_counts FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON mail_counts TO parley_door;
CREATE POLICY door ON mail_counts TO parley_door USING (true) WITH CHECK (true);

-- Whether an invitation was announced by email, as all were before.
ALTER TABLE invitations ADD COLUMN announced boolean NOT NULL DEFAULT true;
GRANT SELECT (announced) ON invitations TO parley_door;
CREATE INDEX invitations_announced ON invitations (email) WHERE announced AND accepted_at IS NULL AND revoked_at IS NULL;

-- Counts an email for each of these scopes, or for none where one has had as many today as it may; a limit of 0 is none.
-- Answers for the place of that scope, from 1; 0 means counted. Whoever counts for the same scope at the same time waits.
CREATE FUNCTION app.count_mail(scopes bytea[], limits bigint[]) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    had   integer;
BEGIN
    FOR place IN 1 .. cardinality(scopes) LOOP
        INSERT INTO public.mail_counts (scope, day, sent) VALUES (scopes[place], today, 0) ON CONFLICT DO NOTHING;
        SELECT c.sent INTO had FROM public.mail_counts c WHERE c.scope = scopes[place] AND c.day = today FOR UPDATE;
        IF limits[place] > 0 AND had >= limits[place] THEN
            RETURN place;
        END IF;
    END LOOP;
    UPDATE public.mail_counts c SET sent = c.sent + 1 WHERE c.scope = ANY (scopes) AND c.day = today;
    RETURN 0;
END $$;

-- Whether an invitation of the workspace of this transaction to an address is announced by email: while fewer than five that
-- other workspaces announced are open, and the mailbox (a keyed hash) has had fewer than three such emails today, which it
-- then counts. Whoever asks for the same address at the same time waits.
CREATE FUNCTION app.announce_invitation(address text, mailbox bytea) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('invitations to ' || address, 0));
    IF (SELECT count(*) FROM public.invitations i
          JOIN public.workspaces w ON w.id = i.workspace_id AND w.deleted_at IS NULL
         WHERE i.email = address AND i.announced AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > now()
           AND i.workspace_id <> nullif(current_setting('app.workspace_id', true), '')::uuid) >= 5 THEN
        RETURN false;
    END IF;
    RETURN app.count_mail(ARRAY[mailbox], ARRAY[3]) = 0;
END $$;

-- Forgets the counts of days that are over.
CREATE FUNCTION app.forget_mail_counts() RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM public.mail_counts WHERE day < (now() AT TIME ZONE 'UTC')::date
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.count_mail(bytea[], bigint[]) OWNER TO parley_door;
ALTER FUNCTION app.announce_invitation(text, bytea) OWNER TO parley_door;
ALTER FUNCTION app.forget_mail_counts() OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.count_mail(bytea[], bigint[]), app.announce_invitation(text, bytea), app.forget_mail_counts() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.count_mail(bytea[], bigint[]), app.announce_invitation(text, bytea), app.forget_mail_counts() TO parley_app;
