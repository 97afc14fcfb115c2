CREATE OR REPLACE FUNCTION app.locate_old_exports(max_rows integer) RETURNS TABLE (workspace_id uuid, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    (SELECT e.workspace_id, e.id FROM public.workspace_exports e WHERE e.status = 'completed' AND e.expires_at < now() LIMIT max_rows)
    UNION
    (SELECT e.workspace_id, e.id FROM public.workspace_exports e JOIN public.workspaces w ON w.id = e.workspace_id
      WHERE e.status = 'completed' AND w.deleted_at IS NOT NULL LIMIT max_rows)
    UNION
    (SELECT e.workspace_id, e.id FROM public.workspace_exports e
      WHERE e.status = 'completed'
        AND EXISTS (SELECT FROM public.audit_log a
                     WHERE a.workspace_id = e.workspace_id AND a.created_at >= e.started_at AND a.action <> 'turn.create'
                       AND (a.action IN ('thread.delete', 'message.delete', 'file.delete', 'document.delete', 'knowledge_base.delete', 'bot.delete')
                            OR a.action = 'retention.run' AND a.changes ->> 'threads' <> '0'))
      LIMIT max_rows)
    UNION
    (SELECT e.workspace_id, e.id FROM public.workspace_exports e
      WHERE e.status IN ('failed', 'expired') AND e.finished_at < now() - interval '30 days' LIMIT max_rows)
    LIMIT max_rows
$$;
