-- The versions of a deleted bot lose their texts.
SELECT app.let_erase('bot_versions');
GRANT SELECT (bot_id), UPDATE (instruction, settings, note) ON bot_versions TO parley_door;

CREATE FUNCTION app.erase_bot(bot uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    workspace constant uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
BEGIN
    UPDATE public.bot_versions v SET instruction = '', settings = '{}', note = '' WHERE v.workspace_id = workspace AND v.bot_id = bot;
    UPDATE public.operations o SET body = NULL
      FROM public.audit_log a
     WHERE a.workspace_id = workspace AND a.resource_id = bot
       AND o.workspace_id = workspace AND o.actor_id = coalesce(a.user_id, a.api_key_id) AND o.id = a.operation_id AND o.finished_at IS NOT NULL AND o.body IS NOT NULL;
END $$;

-- Deleted bots of all workspaces whose threads wait for a job that is not there. One that was given up is begun again after an hour.
CREATE FUNCTION app.locate_bots_with_threads(older_seconds double precision, max_rows integer) RETURNS TABLE (workspace_id uuid, bot_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT b.workspace_id, b.id
      FROM public.bots b
     WHERE b.threads_deleted_at < now() - older_seconds * interval '1 second'
       AND NOT EXISTS (SELECT FROM public.job_queue j
                        WHERE j.workspace_id = b.workspace_id AND j.kind = 'bot.erase_threads' AND j.status IN ('queued', 'running') AND j.key = b.id::text)
       AND NOT EXISTS (SELECT FROM public.dead_letter_queue l
                        WHERE l.workspace_id = b.workspace_id AND l.kind = 'bot.erase_threads' AND l.key = b.id::text AND l.created_at > now() - interval '1 hour')
     LIMIT max_rows
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.erase_bot(uuid) OWNER TO parley_door;
ALTER FUNCTION app.locate_bots_with_threads(double precision, integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.erase_bot(uuid), app.locate_bots_with_threads(double precision, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.erase_bot(uuid), app.locate_bots_with_threads(double precision, integer) TO parley_app;

-- Whether the bot is deleted, for who makes something of it: columns may only be added.
CREATE OR REPLACE VIEW app.live_versions WITH (security_invoker = true) AS
SELECT b.workspace_id, b.id AS bot_id, v.version, v.instruction, v.settings, b.status, b.deleted_at
  FROM bots b
  JOIN bot_versions v ON v.workspace_id = b.workspace_id AND v.bot_id = b.id AND v.version = b.published_version;

-- The webhook endpoints whose messages a bot answers, for bots.
CREATE VIEW app.bot_endpoints WITH (security_invoker = true) AS
SELECT e.workspace_id, e.bot_id, e.id FROM webhook_endpoints e WHERE e.deleted_at IS NULL;
GRANT SELECT ON app.bot_endpoints TO parley_app;
