-- An attempt that began before its counter or account was blocked is not answered, also where its password was verified so
-- slowly that the time is over: of guesses at once no more are answered than of guesses in turn, however busy the server is.
DROP FUNCTION app.pass_login(bytea, bytea, bytea);
DROP FUNCTION app.fail_login(bytea, bytea);
DROP FUNCTION app.login_standing(uuid, bytea, bytea[], bytea);

-- For how many seconds each counter is blocked, and the account for all unknown networks; whether the user has logged in from
-- the network; and when that was so. A user that is none has logged in from nowhere.
CREATE FUNCTION app.login_standing(usr uuid, from_network bytea, counters bytea[], account bytea)
    RETURNS TABLE (known boolean, waits double precision[], account_wait double precision, at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM public.login_networks n
                    WHERE n.user_id = usr AND n.network = from_network AND n.used_at > now() - interval '180 days'),
           ARRAY(SELECT greatest(coalesce(extract(epoch FROM a.blocked_until - clock_timestamp()), 0), 0)::double precision
                   FROM unnest(counters) WITH ORDINALITY c (hash, place)
                   LEFT JOIN public.login_attempts a ON a.address_hash = c.hash
                  ORDER BY c.place),
           greatest(coalesce((SELECT extract(epoch FROM f.blocked_until - clock_timestamp())
                                FROM public.account_failures f WHERE f.account_hash = account), 0), 0)::double precision,
           clock_timestamp()
$$;

-- For how many seconds a counter, or an account for all unknown networks, is blocked; a second at least where it was at any
-- time since an attempt began. The first four failures of a counter and hundred of an account block nothing. It works with
-- the rights of who asks: fail_login and pass_login.
CREATE FUNCTION app.blocked_since(counter bytea, account bytea, begun timestamptz) RETURNS double precision
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(max(greatest(extract(epoch FROM b.until - clock_timestamp())::double precision, 1)), 0)
      FROM (SELECT a.blocked_until FROM public.login_attempts a WHERE a.address_hash = counter AND a.failures > 4
             UNION ALL
            SELECT f.blocked_until FROM public.account_failures f WHERE f.account_hash = account AND f.failures > 100) b (until)
     WHERE b.until > begun
$$;
REVOKE EXECUTE ON FUNCTION app.blocked_since(bytea, bytea, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.blocked_since(bytea, bytea, timestamptz) TO parley_door;

-- Counts a wrong password, after it was verified: a right one is never counted, not even while it is verified. Answers for
-- how many seconds it has to wait, where its counter or account was blocked since the attempt began: then it is not to be
-- told from a right password. 0 means that it was counted. With an account it counts for all unknown networks of the account
-- too, up to ten failures of one counter a day: a hundred cost nothing, then 2, 4, 8 … seconds, five minutes at the most.
CREATE FUNCTION app.fail_login(counter bytea, account bytea, begun timestamptz) RETURNS double precision
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wait double precision;
BEGIN
    IF account IS NOT NULL THEN
        INSERT INTO public.account_failures (account_hash, failures, blocked_until) VALUES (account, 0, now()) ON CONFLICT DO NOTHING;
        PERFORM 1 FROM public.account_failures f WHERE f.account_hash = account FOR UPDATE;
    END IF;
    PERFORM 1 FROM public.login_attempts a WHERE a.address_hash = counter FOR UPDATE;
    wait := app.blocked_since(counter, account, begun);
    IF wait > 0 THEN
        RETURN wait;
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

-- Ends a log-in with the right password: forgets the failures of its counter, and remembers the network of the user of this
-- transaction, the twenty that were used last. Answers as fail_login; 0 means that the log-in may go on.
CREATE FUNCTION app.pass_login(counter bytea, account bytea, from_network bytea, begun timestamptz) RETURNS double precision
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    usr  uuid := nullif(nullif(current_setting('app.user_id', true), ''), '00000000-0000-0000-0000-000000000000')::uuid;
    wait double precision;
BEGIN
    PERFORM 1 FROM public.login_attempts a WHERE a.address_hash = counter FOR UPDATE;
    wait := app.blocked_since(counter, account, begun);
    IF wait > 0 THEN
        RETURN wait;
    END IF;
    DELETE FROM public.login_attempts a WHERE a.address_hash = counter;
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
ALTER FUNCTION app.fail_login(bytea, bytea, timestamptz) OWNER TO parley_door;
ALTER FUNCTION app.pass_login(bytea, bytea, bytea, timestamptz) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.login_standing(uuid, bytea, bytea[], bytea), app.fail_login(bytea, bytea, timestamptz), app.pass_login(bytea, bytea, bytea, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.login_standing(uuid, bytea, bytea[], bytea), app.fail_login(bytea, bytea, timestamptz), app.pass_login(bytea, bytea, bytea, timestamptz) TO parley_app;
