DROP FUNCTION app.settle_session(uuid);
DROP FUNCTION app.enter_account(uuid, uuid);
CREATE OR REPLACE FUNCTION app.end_other_sessions(keep uuid) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH ended AS (
        UPDATE public.sessions SET revoked_at = now()
         WHERE user_id = nullif(current_setting('app.user_id', true), '')::uuid AND id <> keep AND revoked_at IS NULL
     RETURNING 1
    )
    SELECT count(*)::integer FROM ended
$$;
DROP TABLE account_sessions;
