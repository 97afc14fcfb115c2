-- Where the sealed log of a workspace begins, when old rows were removed with their seals. The record is signed with a key that is not
-- in the database, so that nobody can remove rows and make it look as if the program had done it.
CREATE TABLE audit_cuts (
    workspace_id uuid PRIMARY KEY,
    seq          bigint NOT NULL CHECK (seq >= 1),                    -- the last seal that was removed
    rows         bigint NOT NULL CHECK (rows >= 1),                   -- that were removed in all
    seal_mac     bytea NOT NULL CHECK (octet_length(seal_mac) = 32),  -- of that seal: the next one covers it
    cut_at       timestamptz NOT NULL,
    mac          bytea NOT NULL CHECK (octet_length(mac) = 32),
    key_id       bytea NOT NULL CHECK (octet_length(key_id) = 8)
);
SELECT app.wall('audit_cuts');
GRANT SELECT, UPDATE (mac, key_id) ON audit_cuts TO parley_app; -- parley secret rotate signs it again
GRANT SELECT, INSERT, UPDATE ON audit_cuts TO parley_door;
CREATE POLICY door ON audit_cuts FOR SELECT TO parley_door USING (true);
CREATE POLICY cut ON audit_cuts FOR INSERT TO parley_door
    WITH CHECK (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
CREATE POLICY cut_on ON audit_cuts FOR UPDATE TO parley_door
    USING (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid)
    WITH CHECK (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);

-- Only seals below a cut go.
CREATE POLICY cut ON audit_seals FOR DELETE TO parley_door
    USING (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid
           AND EXISTS (SELECT FROM audit_cuts c WHERE c.workspace_id = audit_seals.workspace_id AND c.seq >= audit_seals.seq));

-- When a row of the audit log was written: the later of its time and that of its id, which the program has made.
CREATE FUNCTION app.audit_row_at(id uuid, created_at timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN substr(id::text, 15, 1) = '7'
                THEN greatest(created_at, to_timestamp(('x0000' || substr(id::text, 1, 8) || substr(id::text, 10, 4))::bit(64)::bigint / 1000.0))
                ELSE created_at END
$$;

-- Removes the seals behind after_seal up to last_seal with their rows, and stores the cut, which the caller has signed. It returns how
-- many rows went; -1 if the log does not begin behind after_seal, as another process has cut it meanwhile. It removes whole seals
-- from the oldest on, below the authenticated head and the anchored one, and no row that is younger than 90 days.
CREATE FUNCTION app.cut_audit(after_seal bigint, last_seal bigint, total_rows bigint, last_mac bytea, its_time timestamptz, its_mac bytea, its_key bytea)
    RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    workspace constant uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    had       bigint := 0; -- the last seal that is gone already
    had_rows  bigint := 0;
    seals     bigint;
    named     bigint;      -- rows that the seals name
    gone      bigint;
BEGIN
    IF coalesce(current_setting('app.bots', true), '') <> '' THEN
        PERFORM app.refuse_key();
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('cut of ' || workspace, 0));
    SELECT c.seq, c.rows INTO had, had_rows FROM public.audit_cuts c WHERE c.workspace_id = workspace;
    IF coalesce(had, 0) <> after_seal THEN
        RETURN -1;
    END IF;
    SELECT count(*), sum(cardinality(s.row_ids)) INTO seals, named
      FROM public.audit_seals s WHERE s.workspace_id = workspace AND s.seq > after_seal AND s.seq <= last_seal;
    IF seals = 0 OR seals <> last_seal - after_seal OR total_rows <> coalesce(had_rows, 0) + named
       OR NOT EXISTS (SELECT FROM public.audit_seals s WHERE s.workspace_id = workspace AND s.seq = last_seal AND s.mac = last_mac) THEN
        RAISE EXCEPTION 'a cut of the audit log is of whole seals, the oldest first' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NOT EXISTS (SELECT FROM public.audit_seals s WHERE s.workspace_id = workspace AND s.seq > last_seal)
       OR NOT EXISTS (SELECT FROM public.audit_seal_heads h
                       WHERE h.workspace_id = workspace AND h.mac_seq > last_seal AND (h.anchored_seq = 0 OR h.anchored_seq > last_seal)) THEN
        RAISE EXCEPTION 'a cut of the audit log is below its head' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF EXISTS (SELECT FROM public.audit_seals s CROSS JOIN LATERAL unnest(s.row_ids) n(id)
                 JOIN public.audit_log a ON a.workspace_id = workspace AND a.id = n.id
                WHERE s.workspace_id = workspace AND s.seq > after_seal AND s.seq <= last_seal
                  AND app.audit_row_at(a.id, a.created_at) >= now() - interval '90 days') THEN
        RAISE EXCEPTION 'rows of the audit log stay for 90 days' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO public.audit_cuts AS c (workspace_id, seq, rows, seal_mac, cut_at, mac, key_id)
    VALUES (workspace, last_seal, total_rows, last_mac, its_time, its_mac, its_key)
    ON CONFLICT (workspace_id) DO UPDATE SET seq = excluded.seq, rows = excluded.rows, seal_mac = excluded.seal_mac,
           cut_at = excluded.cut_at, mac = excluded.mac, key_id = excluded.key_id;
    DELETE FROM public.audit_log a
     USING (SELECT unnest(s.row_ids) AS id FROM public.audit_seals s
             WHERE s.workspace_id = workspace AND s.seq > after_seal AND s.seq <= last_seal) old
     WHERE a.workspace_id = workspace AND a.id = old.id;
    GET DIAGNOSTICS gone = ROW_COUNT;
    IF gone <> named THEN
        RAISE EXCEPTION 'seals name rows of the audit log that cannot be removed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    DELETE FROM public.audit_seals s WHERE s.workspace_id = workspace AND s.seq > after_seal AND s.seq <= last_seal;
    RETURN gone;
END $$;

CREATE OR REPLACE FUNCTION app.sealed_keys()
 RETURNS TABLE(kind text, key bytea, count bigint)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT s.kind, CASE WHEN octet_length(s.mark) >= 9 AND get_byte(s.mark, 0) = 2 THEN substring(s.mark FROM 2 FOR 8) ELSE '' END, count(*)
      FROM (
        SELECT 'model_keys' AS kind, substring(m.sealed FROM 1 FOR 9) AS mark FROM public.model_keys m
         UNION ALL
        SELECT 'model_keys', substring(e.sealed FROM 1 FOR 9) FROM public.embedding_keys e
         UNION ALL
        SELECT 'second_factors', substring(f.sealed FROM 1 FOR 9) FROM public.account_totp f
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
        SELECT 'audit_cuts', '\x02'::bytea || c.key_id FROM public.audit_cuts c
         UNION ALL
        SELECT 'retired_keys', substring(r.sealed FROM 1 FOR 9) FROM public.retired_keys r
      ) s
     GROUP BY 1, 2 ORDER BY 1, 2
$function$;

CREATE OR REPLACE FUNCTION app.workspaces_to_reseal(mark bytea, model_mark bytea, after uuid, most integer)
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT s.workspace_id FROM (
        SELECT m.workspace_id FROM public.model_keys m WHERE substring(m.sealed FROM 1 FOR 9) <> model_mark
         UNION
        SELECT k.workspace_id FROM public.embedding_keys k WHERE substring(k.sealed FROM 1 FOR 9) <> model_mark
         UNION
        SELECT e.workspace_id FROM public.webhook_endpoints e, jsonb_array_elements(e.secrets) k WHERE left(k ->> 'sealed', 12) <> encode(mark, 'base64')
         UNION
        SELECT w.workspace_id FROM public.webhook_subscriptions w, jsonb_array_elements(w.secrets) k WHERE left(k ->> 'sealed', 12) <> encode(mark, 'base64')
         UNION
        SELECT j.workspace_id FROM public.job_queue j WHERE j.kind = 'mail.send' AND left(j.payload ->> 'letter', 12) <> encode(mark, 'base64')
         UNION
        SELECT d.workspace_id FROM public.dead_letter_queue d WHERE d.kind = 'mail.send' AND left(d.payload ->> 'letter', 12) <> encode(mark, 'base64')
         UNION
        SELECT o.workspace_id FROM public.operations o WHERE o.sealed AND substring(o.body FROM 1 FOR 9) <> mark
         UNION
        SELECT h.workspace_id FROM public.audit_seal_heads h WHERE h.mac IS NOT NULL AND coalesce(h.key_id, '') <> substring(mark FROM 2)
         UNION
        SELECT c.workspace_id FROM public.audit_cuts c WHERE c.key_id <> substring(mark FROM 2)
      ) s
     WHERE s.workspace_id > after ORDER BY s.workspace_id LIMIT most
$function$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.cut_audit(bigint, bigint, bigint, bytea, timestamptz, bytea, bytea) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.cut_audit(bigint, bigint, bigint, bytea, timestamptz, bytea, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.cut_audit(bigint, bigint, bigint, bytea, timestamptz, bytea, bytea) TO parley_app;
