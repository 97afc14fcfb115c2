-- name: GetBuild :one
-- A document with what its job needs of the base.
SELECT sqlc.embed(d), b.language, b.embedding_model, coalesce(f.name, '')::text AS file_name FROM documents d
  JOIN knowledge_bases b ON b.workspace_id = d.workspace_id AND b.id = d.base_id
  LEFT JOIN files f ON f.workspace_id = d.workspace_id AND f.id = d.file_id
 WHERE d.workspace_id = @workspace_id AND d.id = @id;

-- name: LockBuild :one
-- How far a generation is, for whoever goes on with it; no row where it is not built any more.
SELECT d.chunks_done, coalesce(d.stage, '')::text AS stage FROM documents d
 WHERE d.workspace_id = @workspace_id AND d.id = @id AND d.building = @generation::integer AND d.status <> 'deleting'
   FOR UPDATE;

-- name: ReserveKnowledge :many
-- The limit that keeps a document from having so many chunks and bytes of text; none where it may.
SELECT metric::text AS metric, most::bigint AS most, used::bigint AS used
  FROM app.reserve_knowledge(@workspace_id::uuid, @document_id::uuid, @chunks::bigint, @bytes::bigint, @max_chunks::bigint, @max_bytes::bigint);

-- name: SetStage :exec
UPDATE documents SET status = @status, stage = @stage, chunks_total = sqlc.narg('chunks_total')::integer, error_code = NULL, error_message = NULL, updated_at = @updated_at
 WHERE workspace_id = @workspace_id AND id = @id;

-- name: StoreText :exec
INSERT INTO document_texts (workspace_id, document_id, generation, text, outline, page_starts)
VALUES (@workspace_id, @document_id, @generation, @text, @outline, @page_starts)
    ON CONFLICT (workspace_id, document_id, generation) DO NOTHING;

-- name: CopyText :exec
-- Takes the text of one generation for another.
INSERT INTO document_texts (workspace_id, document_id, generation, text, outline, page_starts)
SELECT t.workspace_id, t.document_id, @generation::integer, t.text, t.outline, t.page_starts FROM document_texts t
 WHERE t.workspace_id = @workspace_id AND t.document_id = @document_id AND t.generation = @from_generation::integer
    ON CONFLICT (workspace_id, document_id, generation) DO NOTHING;

-- name: GetText :one
SELECT text, page_starts FROM document_texts WHERE workspace_id = @workspace_id AND document_id = @document_id AND generation = @generation;

-- name: GetOutline :one
SELECT outline FROM document_texts WHERE workspace_id = @workspace_id AND document_id = @document_id AND generation = @generation;

-- name: StoreChunks :one
SELECT app.store_chunks(@workspace_id::uuid, @base_id::uuid, @document_id::uuid, @generation::integer, @language::text, @list::jsonb)::integer AS stored;

-- name: SetProgress :exec
UPDATE documents SET chunks_done = @chunks_done, updated_at = @updated_at WHERE workspace_id = @workspace_id AND id = @id;

-- name: FinishBuild :one
-- Makes the generation that was built the current one, if it is whole.
UPDATE documents d
   SET generation = d.building, building = NULL, status = 'ready', stage = NULL, chunks = d.chunks_done, chunks_total = d.chunks_done,
       characters = @characters, text_bytes = @text_bytes, pages = sqlc.narg('pages')::integer, error_code = NULL, error_message = NULL,
       indexed_at = @at, updated_at = @at
 WHERE d.workspace_id = @workspace_id AND d.id = @id AND d.building = @generation::integer AND d.status <> 'deleting' AND d.chunks_done = d.chunks_total
RETURNING *;

-- name: FailBuild :one
UPDATE documents d SET status = 'failed', error_code = @error_code::text, error_message = @error_message::text, updated_at = @updated_at
 WHERE d.workspace_id = @workspace_id AND d.id = @id AND d.building = @generation::integer AND d.status NOT IN ('deleting', 'failed')
RETURNING *;

-- name: RemoveChunks :one
SELECT app.remove_chunks(@workspace_id::uuid, @document_id::uuid, @before::integer, @language::text, @max_rows::integer)::integer AS removed;

-- name: RemoveOldTexts :exec
-- Removes the texts of generations before one, but for the text that was sent.
DELETE FROM document_texts WHERE workspace_id = @workspace_id AND document_id = @document_id AND generation > 0 AND generation < @before::integer;

-- name: ListChunks :many
SELECT c.id, c.ordinal, c.page, c.start_at, c.end_at, c.headings, c.table_header, c.text FROM chunks c
 WHERE c.workspace_id = @workspace_id AND c.document_id = @document_id AND c.generation = @generation AND c.ordinal > @after::integer
 ORDER BY c.ordinal
 LIMIT @count;
