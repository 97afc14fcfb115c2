-- Exports of workspaces. The archive of one is in the store of files, under <workspace>/exports/<id>-<attempt>.zip.
CREATE TABLE workspace_exports (
    workspace_id  uuid NOT NULL REFERENCES workspaces (id),
    id            uuid NOT NULL,
    status        text NOT NULL CHECK (status IN ('queued', 'running', 'completed', 'failed', 'expired')),
    created_by    uuid NOT NULL,
    created_at    timestamptz NOT NULL,
    started_at    timestamptz,
    finished_at   timestamptz,
    expires_at    timestamptz,
    attempt       integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    rows_done     bigint NOT NULL DEFAULT 0,
    files_done    bigint NOT NULL DEFAULT 0,
    files_total   bigint,
    size          bigint,
    sha256        bytea CHECK (octet_length(sha256) = 32),
    error_code    text,
    error_message text,
    PRIMARY KEY (workspace_id, id),
    CHECK ((status IN ('queued', 'running')) = (finished_at IS NULL)),
    CHECK (status <> 'completed' OR size IS NOT NULL AND sha256 IS NOT NULL AND expires_at IS NOT NULL)
);
CREATE UNIQUE INDEX workspace_exports_one_at_once ON workspace_exports (workspace_id) WHERE status IN ('queued', 'running');
CREATE INDEX workspace_exports_completed ON workspace_exports (expires_at) WHERE status = 'completed';
CREATE INDEX workspace_exports_finished ON workspace_exports (finished_at) WHERE status IN ('failed', 'expired');
SELECT app.wall('workspace_exports');
SELECT app.close_to_limited_keys('workspace_exports');
GRANT SELECT, INSERT, DELETE ON workspace_exports TO parley_app;
GRANT UPDATE (status, started_at, finished_at, expires_at, attempt, rows_done, files_done, files_total, size, sha256, error_code, error_message)
    ON workspace_exports TO parley_app;

-- Exports of all workspaces whose archive is to be removed: it has expired, its workspace is deleted, or something was erased there
-- since the export began, which may be in it; and rows that are to be forgotten 30 days after their end.
GRANT SELECT (workspace_id, id, status, started_at, finished_at, expires_at) ON workspace_exports TO parley_door;
CREATE POLICY door ON workspace_exports FOR SELECT TO parley_door USING (true);
CREATE FUNCTION app.locate_old_exports(max_rows integer) RETURNS TABLE (workspace_id uuid, id uuid)
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
                       AND a.action IN ('thread.delete', 'message.delete', 'file.delete', 'document.delete', 'knowledge_base.delete', 'bot.delete'))
      LIMIT max_rows)
    UNION
    (SELECT e.workspace_id, e.id FROM public.workspace_exports e
      WHERE e.status IN ('failed', 'expired') AND e.finished_at < now() - interval '30 days' LIMIT max_rows)
    LIMIT max_rows
$$;
GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.locate_old_exports(integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.locate_old_exports(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.locate_old_exports(integer) TO parley_app;
