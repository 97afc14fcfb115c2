CREATE OR REPLACE FUNCTION app.sealed_keys() RETURNS TABLE (kind text, key bytea, count bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.kind, CASE WHEN octet_length(s.mark) >= 9 AND get_byte(s.mark, 0) = 2 THEN substring(s.mark FROM 2 FOR 8) ELSE '' END, count(*)
      FROM (
        SELECT 'model_keys' AS kind, substring(m.sealed FROM 1 FOR 9) AS mark FROM public.model_keys m
         UNION ALL
        SELECT 'model_keys', substring(e.sealed FROM 1 FOR 9) FROM public.embedding_keys e
         UNION ALL
        SELECT t.kind, CASE WHEN t.mark ~ '^[A-Za-z0-9+/]{12}$' THEN decode(t.mark, 'base64') ELSE '' END
          FROM (
            SELECT 'endpoint_secrets' AS kind, left(k ->> 'sealed', 12) AS mark FROM public.webhook_endpoints e, jsonb_array_elements(e.secrets) k
             UNION ALL
            SELECT 'subscription_secrets', left(k ->> 'sealed', 12) FROM public.webhook_subscriptions w, jsonb_array_elements(w.secrets) k
             UNION ALL
            SELECT 'emails', left(j.payload ->> 'letter', 12) FROM public.job_queue j WHERE j.kind = 'mail.send'
             UNION ALL
            SELECT 'emails', left(d.payload ->> 'letter', 12) FROM public.dead_letter_queue d WHERE d.kind = 'mail.send'
          ) t
         UNION ALL
        SELECT 'answers', substring(o.body FROM 1 FOR 9) FROM public.operations o WHERE o.sealed AND o.body IS NOT NULL
         UNION ALL
        SELECT 'audit_heads', '\x02'::bytea || coalesce(h.key_id, '') FROM public.audit_seal_heads h WHERE h.mac IS NOT NULL
         UNION ALL
        SELECT 'retired_keys', substring(r.sealed FROM 1 FOR 9) FROM public.retired_keys r
      ) s
     GROUP BY 1, 2 ORDER BY 1, 2
$$;
DROP FUNCTION app.users_to_reseal(bytea, uuid, integer);
DROP FUNCTION app.expire_account_tickets(integer);
DROP TABLE account_tickets;
DROP TABLE account_recovery_codes;
DROP TABLE account_totp;
