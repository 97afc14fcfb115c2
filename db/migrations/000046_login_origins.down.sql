CREATE OR REPLACE FUNCTION app.forget_login_attempts() RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM public.login_attempts WHERE updated_at < now() - interval '1 day'
$$;
DROP FUNCTION app.pass_login(bytea, bytea, bytea);
DROP FUNCTION app.fail_login(bytea, bytea);
DROP FUNCTION app.login_standing(uuid, bytea, bytea[], bytea);
DROP TABLE account_failures;
DROP TABLE login_networks;
