-- Whether the address was proved by the link of an email alone, which came with neither a session nor the password of the account:
-- then the owner of the address and who made the account may be two people. Proofs from before count as made with the account.
ALTER TABLE users ADD COLUMN verified_by_link boolean NOT NULL DEFAULT false;
-- The same for a link of a change of the address that was used and waits for the other one.
ALTER TABLE account_links ADD COLUMN with_account boolean NOT NULL DEFAULT false;

GRANT UPDATE (verified_at, verified_by_link) ON users TO parley_door;
CREATE POLICY door_take ON users FOR UPDATE TO parley_door USING (verified_by_link IS TRUE) WITH CHECK (verified_at IS NULL);

-- Takes an address, in all its forms, for the user of the transaction, who has proved it together with its account, from the
-- accounts that claim it without a proof, and from one that a link alone has proved, which is unproved from then on. False where
-- another account has proved it together with itself.
CREATE FUNCTION app.take_address(addresses text[]) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    self uuid := nullif(current_setting('app.user_id', true), '')::uuid;
BEGIN
    IF EXISTS (SELECT FROM public.users u WHERE u.email = ANY (addresses) AND u.verified_at IS NOT NULL AND NOT u.verified_by_link AND u.id <> self) THEN
        RETURN false;
    END IF;
    UPDATE public.users u SET shares_address = true, verified_at = NULL, verified_by_link = false
     WHERE u.email = ANY (addresses) AND (u.verified_at IS NULL AND NOT u.shares_address OR u.verified_by_link) AND u.id <> self;
    RETURN true;
END $$;
GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.take_address(text[]) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.take_address(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.take_address(text[]) TO parley_app;
