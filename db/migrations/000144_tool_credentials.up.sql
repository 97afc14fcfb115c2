-- What a tool shows to its target. It is not part of its versions: whoever replaces a key that has leaked replaces it for all of them.
CREATE TABLE tool_credentials (
    workspace_id uuid NOT NULL,
    tool_id      uuid NOT NULL,
    type         text NOT NULL CHECK (type IN ('header', 'bearer', 'oauth_client_credentials')),
    origin       text NOT NULL,  -- scheme, host and port that they are sent to, and nowhere else
    sealed       bytea NOT NULL, -- AES-256-GCM, bound to the workspace and the tool
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, tool_id),
    FOREIGN KEY (workspace_id, tool_id) REFERENCES tools (workspace_id, id) ON DELETE CASCADE
);
SELECT app.wall('tool_credentials');
SELECT app.let_key_read('tool_credentials', 'coalesce(tool_id = ANY ((SELECT app.known_tools())::uuid[]), false)');
GRANT SELECT, INSERT, DELETE, UPDATE (type, origin, sealed, created_by, created_at) ON tool_credentials TO parley_app;

-- The functions that count and find sealed texts count and find these too.
GRANT SELECT (workspace_id, sealed) ON tool_credentials TO parley_door;
CREATE POLICY door ON tool_credentials FOR SELECT TO parley_door USING (true);
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
        SELECT 'tool_credentials', substring(c.sealed FROM 1 FOR 9) FROM public.tool_credentials c
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
        SELECT t.workspace_id FROM public.tool_credentials t WHERE substring(t.sealed FROM 1 FOR 9) <> mark
         UNION
        SELECT o.workspace_id FROM public.operations o WHERE o.sealed AND substring(o.body FROM 1 FOR 9) <> mark
         UNION
        SELECT h.workspace_id FROM public.audit_seal_heads h WHERE h.mac IS NOT NULL AND coalesce(h.key_id, '') <> substring(mark FROM 2)
         UNION
        SELECT c.workspace_id FROM public.audit_cuts c WHERE c.key_id <> substring(mark FROM 2)
      ) s
     WHERE s.workspace_id > after ORDER BY s.workspace_id LIMIT most
$function$;
