-- What turns have kept of a deleted file is removed by a job. One that was given up is found, so that the erasure is finished.
-- Both tables are locked at once or none, as files are deleted meanwhile.
DO $$
BEGIN
    PERFORM set_config('lock_timeout', '500ms', true);
    LOOP
        BEGIN
            LOCK TABLE document_files, files;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    PERFORM set_config('lock_timeout', '0', true);
END $$;

ALTER TABLE document_files ADD COLUMN deleted_at timestamptz; -- since when the file is deleted; null: it is there, or a release before this one has deleted it
GRANT UPDATE (deleted_at) ON document_files TO parley_app;
ALTER TABLE document_files NO FORCE ROW LEVEL SECURITY;
ALTER TABLE files NO FORCE ROW LEVEL SECURITY;
UPDATE document_files d SET deleted_at = now()
 WHERE NOT EXISTS (SELECT FROM files f WHERE f.workspace_id = d.workspace_id AND f.id = d.file_id);
ALTER TABLE document_files FORCE ROW LEVEL SECURITY;
ALTER TABLE files FORCE ROW LEVEL SECURITY;
CREATE INDEX document_files_deleted ON document_files (deleted_at) WHERE deleted_at IS NOT NULL;

-- Deleted files of all workspaces whose erasure waits for a job that is not there. One that was given up is begun again after an hour.
GRANT SELECT (workspace_id, file_id, deleted_at) ON document_files TO parley_door;
GRANT SELECT (key) ON dead_letter_queue TO parley_door;
CREATE POLICY door ON document_files FOR SELECT TO parley_door USING (true);
CREATE FUNCTION app.locate_unfinished_erasures(older_seconds double precision, max_rows integer) RETURNS TABLE (workspace_id uuid, file_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT d.workspace_id, d.file_id
      FROM public.document_files d
     WHERE d.deleted_at < now() - older_seconds * interval '1 second'
       AND NOT EXISTS (SELECT FROM public.job_queue j
                        WHERE j.workspace_id = d.workspace_id AND j.kind = 'file.erase' AND j.status IN ('queued', 'running') AND j.key = d.file_id::text)
       AND NOT EXISTS (SELECT FROM public.dead_letter_queue l
                        WHERE l.workspace_id = d.workspace_id AND l.kind = 'file.erase' AND l.key = d.file_id::text AND l.created_at > now() - interval '1 hour')
     LIMIT max_rows
$$;
GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.locate_unfinished_erasures(double precision, integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.locate_unfinished_erasures(double precision, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.locate_unfinished_erasures(double precision, integer) TO parley_app;
