-- How far the sealer has come, for telling that a seal has been taken away: below it no row of any workspace is unsealed.
CREATE FUNCTION app.audit_sealed_to() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT p.txid FROM public.audit_seal_progress p), 0)
$$;
GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.audit_sealed_to() OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.audit_sealed_to() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.audit_sealed_to() TO parley_app;
