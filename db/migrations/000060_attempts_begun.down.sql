DROP FUNCTION app.pass_login(bytea, bytea, bytea, timestamptz);
DROP FUNCTION app.fail_login(bytea, bytea, timestamptz);
DROP FUNCTION app.blocked_since(bytea, bytea, timestamptz);
DROP FUNCTION app.login_standing(uuid, bytea, bytea[], bytea);
CREATE FUNCTION app.login_standing(usr uuid, from_network bytea, counters bytea[], account bytea)
    RETURNS TABLE (known boolean, waits double precision[], account_wait double precision)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM public.login_networks n
                    WHERE n.user_id = usr AND n.network = from_network AND n.used_at > now() - interval '180 days'),
           ARRAY(SELECT greatest(coalesce(extract(epoch FROM a.blocked_until - clock_timestamp()), 0), 0)::double precision
                   FROM unnest(counters) WITH ORDINALITY c (hash, place)
                   LEFT JOIN public.login_attempts a ON a.address_hash = c.hash
                  ORDER BY c.place),
           greatest(coalesce((SELECT extract(epoch FROM f.blocked_until - clock_timestamp())
                                FROM public.account_failures f WHERE f.account_hash = account), 0), 0)::double precision
$$;
CREATE FUNCTION app.fail_login(counter bytea, account bytea) RETURNS double precision
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wait double precision;
BEGIN
    IF account IS NOT NULL THEN
        INSERT INTO public.account_failures (account_hash, failures, blocked_until) VALUES (account, 0, now()) ON CONFLICT DO NOTHING;
        SELECT extract(epoch FROM f.blocked_until - clock_timestamp()) INTO wait
          FROM public.account_failures f WHERE f.account_hash = account FOR UPDATE;
        IF wait > 0 THEN
            RETURN wait;
        END IF;
    END IF;
    wait := app.begin_login(counter);
    IF wait = 0 AND account IS NOT NULL AND (SELECT a.failures FROM public.login_attempts a WHERE a.address_hash = counter) <= 10 THEN
        UPDATE public.account_failures f
           SET failures = CASE WHEN f.updated_at < now() - interval '1 day' THEN 1 ELSE f.failures + 1 END,
               blocked_until = clock_timestamp() + CASE WHEN f.failures < 100 OR f.updated_at < now() - interval '1 day' THEN interval '0'
                   ELSE least(interval '1 second' * (2 ^ least(f.failures - 99, 10)), interval '5 minutes') END,
               updated_at = clock_timestamp()
         WHERE f.account_hash = account;
    END IF;
    RETURN wait;
END $$;
CREATE FUNCTION app.pass_login(counter bytea, account bytea, from_network bytea) RETURNS double precision
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    usr  uuid := nullif(nullif(current_setting('app.user_id', true), ''), '00000000-0000-0000-0000-000000000000')::uuid;
    wait double precision;
BEGIN
    SELECT extract(epoch FROM f.blocked_until - clock_timestamp()) INTO wait
      FROM public.account_failures f WHERE f.account_hash = account;
    IF wait > 0 THEN
        RETURN wait;
    END IF;
    DELETE FROM public.login_attempts a WHERE a.address_hash = counter AND a.blocked_until <= clock_timestamp();
    SELECT extract(epoch FROM a.blocked_until - clock_timestamp()) INTO wait
      FROM public.login_attempts a WHERE a.address_hash = counter;
    IF wait > 0 THEN
        RETURN wait;
    END IF;
    IF usr IS NULL OR from_network IS NULL THEN
        RETURN 0;
    END IF;
    INSERT INTO public.login_networks AS n (user_id, network, used_at) VALUES (usr, from_network, now())
        ON CONFLICT (user_id, network) DO UPDATE SET used_at = now() WHERE n.used_at < now() - interval '1 hour';
    IF FOUND THEN
        DELETE FROM public.login_networks n USING (
            SELECT o.network FROM public.login_networks o WHERE o.user_id = usr ORDER BY o.used_at DESC, o.network OFFSET 20) old
         WHERE n.user_id = usr AND n.network = old.network;
    END IF;
    RETURN 0;
END $$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.login_standing(uuid, bytea, bytea[], bytea) OWNER TO parley_door;
ALTER FUNCTION app.fail_login(bytea, bytea) OWNER TO parley_door;
ALTER FUNCTION app.pass_login(bytea, bytea, bytea) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.login_standing(uuid, bytea, bytea[], bytea), app.fail_login(bytea, bytea), app.pass_login(bytea, bytea, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.login_standing(uuid, bytea, bytea[], bytea), app.fail_login(bytea, bytea), app.pass_login(bytea, bytea, bytea) TO parley_app;
