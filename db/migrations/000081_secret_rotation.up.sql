-- What changes a SECRET_KEY: which key this database is used with, since when ids of keys are written, keys that are kept to verify
-- what cannot be made anew, and what is still sealed under which key.

-- From when on sealed texts carry the id of their key: a day after the first start of a release that writes it, as the release
-- before cannot read them; at once in a database that it has never used. Null: no such release has started yet.
ALTER TABLE installation ADD COLUMN ids_from timestamptz;
GRANT UPDATE (ids_from) ON installation TO parley_door;

-- The print of the SECRET_KEY that this database is used with, which the first that asks makes its own, and from when on ids are written.
CREATE FUNCTION app.installation_key(print bytea) RETURNS TABLE (key_print bytea, ids_from timestamptz)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO public.installation AS i (key_print, ids_from) VALUES (print, now())
    ON CONFLICT (singleton) DO UPDATE SET ids_from = now() + interval '24 hours' WHERE i.ids_from IS NULL;
    SELECT i.key_print, i.ids_from FROM public.installation i
$$;

-- The same for one who only looks; no row in a database that nobody has used yet.
CREATE FUNCTION app.known_key() RETURNS bytea
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT i.key_print FROM public.installation i
$$;

-- Keys for one purpose that were derived from a former SECRET_KEY, sealed under the one that is used: they verify old seals of the
-- audit log and old operations when the former SECRET_KEY is gone.
CREATE TABLE retired_keys (
    key_id     bytea NOT NULL CHECK (octet_length(key_id) = 8),
    purpose    text NOT NULL,
    sealed     bytea NOT NULL,
    retired_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (key_id, purpose)
);
ALTER TABLE retired_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE retired_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY door ON retired_keys TO parley_door USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE (sealed) ON retired_keys TO parley_door;

CREATE FUNCTION app.retired_keys() RETURNS TABLE (key_id bytea, purpose text, sealed bytea, retired_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.key_id, r.purpose, r.sealed, r.retired_at FROM public.retired_keys r ORDER BY r.retired_at DESC, r.key_id, r.purpose LIMIT 1000
$$;

-- Stores one, or seals one anew that is there.
CREATE FUNCTION app.retire_key(id bytea, key_purpose text, sealed_key bytea) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO public.retired_keys (key_id, purpose, sealed) VALUES (id, key_purpose, sealed_key)
    ON CONFLICT (key_id, purpose) DO UPDATE SET sealed = excluded.sealed
$$;

-- How much is sealed under which key in all workspaces, by the first bytes of sealed texts: a 2 and the id of the key, or a 1. An
-- empty key: no id.
CREATE FUNCTION app.sealed_keys() RETURNS TABLE (kind text, key bytea, count bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.kind, CASE WHEN octet_length(s.mark) >= 9 AND get_byte(s.mark, 0) = 2 THEN substring(s.mark FROM 2 FOR 8) ELSE '' END, count(*)
      FROM (
        SELECT 'model_keys' AS kind, substring(m.sealed FROM 1 FOR 9) AS mark FROM public.model_keys m
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

-- Workspaces with something that is not sealed under a key, in the order of their ids. A mark is what texts begin with that are: one for
-- keys of models, one for all else.
CREATE FUNCTION app.workspaces_to_reseal(mark bytea, model_mark bytea, after uuid, most integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.workspace_id FROM (
        SELECT m.workspace_id FROM public.model_keys m WHERE substring(m.sealed FROM 1 FOR 9) <> model_mark
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
      ) s
     WHERE s.workspace_id > after ORDER BY s.workspace_id LIMIT most
$$;

GRANT SELECT (kind, payload) ON dead_letter_queue TO parley_door;
GRANT UPDATE (payload) ON dead_letter_queue TO parley_app;
GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.installation_key(bytea) OWNER TO parley_door;
ALTER FUNCTION app.known_key() OWNER TO parley_door;
ALTER FUNCTION app.retired_keys() OWNER TO parley_door;
ALTER FUNCTION app.retire_key(bytea, text, bytea) OWNER TO parley_door;
ALTER FUNCTION app.sealed_keys() OWNER TO parley_door;
ALTER FUNCTION app.workspaces_to_reseal(bytea, bytea, uuid, integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.installation_key(bytea), app.known_key(), app.retired_keys(), app.retire_key(bytea, text, bytea), app.sealed_keys(),
    app.workspaces_to_reseal(bytea, bytea, uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.installation_key(bytea), app.known_key(), app.retired_keys(), app.retire_key(bytea, text, bytea), app.sealed_keys(),
    app.workspaces_to_reseal(bytea, bytea, uuid, integer) TO parley_app;
