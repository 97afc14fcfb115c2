-- Deleting a file also removes what turns have kept of it.

-- The documents that were made of a file, also those that are deleted: by them a job finds the turns that quote the file. They go when
-- that job is done.
CREATE TABLE document_files (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    file_id      uuid NOT NULL,
    document_id  uuid NOT NULL,
    PRIMARY KEY (workspace_id, file_id, document_id)
);
SELECT app.wall('document_files'), app.close_to_limited_keys('document_files');
GRANT SELECT, INSERT, DELETE ON document_files TO parley_app;

GRANT UPDATE (candidates) ON retrievals TO parley_app;
GRANT UPDATE (citations) ON messages TO parley_app;
GRANT DELETE ON turn_events TO parley_app;

-- Reads the versions of each bot by their key, however many others there are.
CREATE OR REPLACE VIEW app.bot_knowledge WITH (security_invoker = true) AS
SELECT b.workspace_id, b.id AS bot_id, b.name, b.status, v.version, v.version = b.published_version AS published,
       lower((v.settings -> 'knowledge')::text)::jsonb AS bases
  FROM bots b
 CROSS JOIN LATERAL (SELECT w.version, w.settings FROM bot_versions w
                      WHERE w.workspace_id = b.workspace_id AND w.bot_id = b.id AND w.version IN (b.current_version, b.published_version) OFFSET 0) v
 WHERE v.settings ? 'knowledge';
