-- name: CreateDocument :one
-- Makes none where the base has a document of a file with the same content.
WITH made AS (
    INSERT INTO documents (workspace_id, id, base_id, file_id, title, metadata, content_type, content_hash, size, status, building, build_size, build_overlap,
                           created_by, created_at, updated_at)
    VALUES (@workspace_id, @id, @base_id, @file_id, @title, @metadata, @content_type, @content_hash, @size, 'queued', 1, @build_size, @build_overlap,
            @created_by, @created_at, @created_at)
        ON CONFLICT (workspace_id, base_id, content_hash) WHERE file_id IS NOT NULL AND status <> 'deleting' DO NOTHING
    RETURNING workspace_id, id, file_id
), noted AS (
    INSERT INTO document_files (workspace_id, file_id, document_id) SELECT made.workspace_id, made.file_id, made.id FROM made WHERE made.file_id IS NOT NULL
)
SELECT id FROM made;

-- name: FindDocumentOfContent :one
SELECT id FROM documents
 WHERE workspace_id = @workspace_id AND base_id = @base_id AND content_hash = @content_hash AND file_id IS NOT NULL AND status <> 'deleting';

-- name: GetDocument :one
SELECT sqlc.embed(d) FROM documents d
  JOIN knowledge_bases b ON b.workspace_id = d.workspace_id AND b.id = d.base_id AND b.deleted_at IS NULL
 WHERE d.workspace_id = @workspace_id AND d.base_id = @base_id AND d.id = @id;

-- name: ListDocuments :many
SELECT d.* FROM documents d
  JOIN knowledge_bases b ON b.workspace_id = d.workspace_id AND b.id = d.base_id AND b.deleted_at IS NULL
 WHERE d.workspace_id = @workspace_id AND d.base_id = @base_id AND (sqlc.narg('status')::text IS NULL OR d.status = sqlc.narg('status')::text)
   AND (sqlc.narg('before')::uuid IS NULL OR d.id < sqlc.narg('before')::uuid)
 ORDER BY d.id DESC
 LIMIT @count;

-- name: LockDocument :one
SELECT sqlc.embed(d) FROM documents d
  JOIN knowledge_bases b ON b.workspace_id = d.workspace_id AND b.id = d.base_id AND b.deleted_at IS NULL
 WHERE d.workspace_id = @workspace_id AND d.base_id = @base_id AND d.id = @id AND d.status <> 'deleting'
   FOR UPDATE OF d;

-- name: SaveDocument :exec
UPDATE documents SET title = @title, metadata = @metadata, updated_at = @updated_at WHERE workspace_id = @workspace_id AND id = @id;

-- name: ScheduleDocument :one
-- Has the next generation of a document built.
UPDATE documents d
   SET building = greatest(d.generation, coalesce(d.building, 0)) + 1, status = 'queued', stage = NULL, chunks_done = 0, chunks_total = NULL,
       error_code = NULL, error_message = NULL, build_size = @build_size, build_overlap = @build_overlap, build_reuse = @build_reuse, updated_at = @updated_at
 WHERE d.workspace_id = @workspace_id AND d.id = @id AND d.status <> 'deleting'
RETURNING *;

-- name: ScheduleDocuments :exec
-- The same for all documents of a base; their jobs are queued by another one.
UPDATE documents d
   SET building = greatest(d.generation, coalesce(d.building, 0)) + 1, status = 'queued', stage = NULL, chunks_done = 0, chunks_total = NULL,
       error_code = NULL, error_message = NULL, build_size = @build_size, build_overlap = @build_overlap, build_reuse = @build_reuse, updated_at = @updated_at
 WHERE d.workspace_id = @workspace_id AND d.base_id = @base_id AND d.status <> 'deleting';

-- name: ListUnscheduledDocuments :many
-- Documents of a base that wait for a job that is not there.
SELECT d.id, d.status, d.building FROM documents d
 WHERE d.workspace_id = @workspace_id AND d.base_id = @base_id AND d.status NOT IN ('ready', 'failed')
   AND NOT EXISTS (SELECT FROM job_queue j
                    WHERE j.workspace_id = d.workspace_id AND j.kind = 'document.ingest' AND j.status IN ('queued', 'running')
                      AND j.key = d.id || ' ' || CASE d.status WHEN 'deleting' THEN 'delete' ELSE d.building::text END)
 ORDER BY d.id
 LIMIT @count;

-- name: MarkDocumentDeleting :one
-- From the commit on it is not found. It no longer holds its file.
UPDATE documents d SET status = 'deleting', file_id = NULL, stage = NULL, error_code = NULL, error_message = NULL, updated_at = @updated_at
 WHERE d.workspace_id = @workspace_id AND d.base_id = @base_id AND d.id = @id
RETURNING *;

-- name: HoldFile :exec
-- For whoever makes a document of a file: nobody deletes the file until the end of the transaction.
SELECT pg_advisory_xact_lock_shared(hashtextextended(CAST(sqlc.arg('file_id')::uuid AS text), 0));

-- name: LockFile :exec
-- For whoever deletes a file: nobody makes a document of it until the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended(CAST(sqlc.arg('file_id')::uuid AS text), 0));

-- name: MarkDocumentsOfFileDeleting :many
-- They are noted again for the release that made documents and did not note them.
WITH marked AS (
    UPDATE documents d SET status = 'deleting', file_id = NULL, stage = NULL, error_code = NULL, error_message = NULL, updated_at = @updated_at
     WHERE d.workspace_id = @workspace_id AND d.file_id = sqlc.arg('file_id')::uuid
    RETURNING d.id
), noted AS (
    INSERT INTO document_files (workspace_id, file_id, document_id) SELECT @workspace_id, sqlc.arg('file_id')::uuid, marked.id FROM marked
        ON CONFLICT DO NOTHING
)
SELECT id FROM marked;

-- name: ListDocumentsOfFile :many
-- Documents that were made of a file, deleted or not, by their ids.
SELECT document_id FROM document_files WHERE workspace_id = @workspace_id AND file_id = @file_id ORDER BY document_id LIMIT @count;

-- name: MarkDocumentFilesDeleted :exec
-- From then on they are of a file whose erasure is to be finished.
UPDATE document_files SET deleted_at = @deleted_at WHERE workspace_id = @workspace_id AND file_id = @file_id AND deleted_at IS NULL;

-- name: GetDeletionOfFile :one
-- Since when a file is deleted whose erasure is not finished.
SELECT deleted_at::timestamptz AS deleted_at FROM document_files WHERE workspace_id = @workspace_id AND file_id = @file_id AND deleted_at IS NOT NULL
 ORDER BY deleted_at DESC LIMIT 1;

-- name: LocateUnfinishedErasures :many
SELECT workspace_id::uuid AS workspace_id, file_id::uuid AS file_id
  FROM app.locate_unfinished_erasures(@older_seconds::double precision, @max_rows::integer);

-- name: ForgetDocumentsOfFile :exec
DELETE FROM document_files WHERE workspace_id = @workspace_id AND file_id = @file_id AND document_id = ANY (@document_ids::uuid[]);

-- name: MarkDocumentsOfBaseDeleting :one
-- Marks some documents of a base, and returns how many.
WITH chosen AS (
    SELECT d.id FROM documents d WHERE d.workspace_id = @workspace_id AND d.base_id = @base_id AND d.status <> 'deleting' LIMIT @count FOR UPDATE
), marked AS (
    UPDATE documents d SET status = 'deleting', file_id = NULL, updated_at = @updated_at FROM chosen
     WHERE d.workspace_id = @workspace_id AND d.id = chosen.id
    RETURNING d.id
)
SELECT count(*) FROM marked;

-- name: RemoveTexts :exec
DELETE FROM document_texts WHERE workspace_id = @workspace_id AND document_id = ANY (@document_ids::uuid[]);

-- name: RemoveDocument :exec
DELETE FROM documents WHERE workspace_id = @workspace_id AND id = @id AND status = 'deleting';

-- name: LocateUnfinishedDocuments :many
SELECT workspace_id::uuid AS workspace_id, base_id::uuid AS base_id, coalesce(document_id, '00000000-0000-0000-0000-000000000000')::uuid AS document_id
  FROM app.locate_unfinished_documents(@older_seconds::double precision, @max_rows::integer);
