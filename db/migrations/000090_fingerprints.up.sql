-- The version of an operation's fingerprint: 1 is over the bytes of the body, 2 over its canonical JSON. The function with
-- four arguments stays for the release before, which stores version 1.
ALTER TABLE operations ADD COLUMN fingerprint_version smallint NOT NULL DEFAULT 1;

CREATE FUNCTION app.claim_operation(workspace uuid, actor uuid, operation uuid, print bytea, version smallint) RETURNS void
    LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
BEGIN
    INSERT INTO public.operations (workspace_id, actor_id, id, fingerprint, fingerprint_version)
    VALUES (workspace, actor, operation, print, version);
END $$;
