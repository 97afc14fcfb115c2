-- name: RecordVectors :one
-- Before the first vector of a generation is stored. The result is what is recorded of the generation: the first call decides.
WITH added AS (
    INSERT INTO document_vectors (workspace_id, document_id, generation, base_id, model, dimensions, created_at)
    VALUES (@workspace_id, @document_id, @generation, @base_id, @model, @dimensions, @created_at)
        ON CONFLICT (workspace_id, document_id, generation) DO NOTHING
    RETURNING model, dimensions
)
SELECT a.model, a.dimensions FROM added a
 UNION ALL
SELECT v.model, v.dimensions FROM document_vectors v
 WHERE v.workspace_id = @workspace_id AND v.document_id = @document_id AND v.generation = @generation;

-- name: UnrecordVectors :exec
DELETE FROM document_vectors WHERE workspace_id = @workspace_id AND document_id = @document_id AND generation = @generation;

-- name: ListDocumentVectors :many
SELECT v.* FROM document_vectors v WHERE v.workspace_id = @workspace_id AND v.document_id = @document_id ORDER BY v.generation;

-- name: ListVectorSpaces :many
-- The models, and numbers of dimensions, of the vectors of bases.
SELECT DISTINCT v.model, v.dimensions FROM document_vectors v
 WHERE v.workspace_id = @workspace_id AND v.base_id = ANY (@bases::uuid[]) AND v.removed_at IS NULL;

-- name: MarkVectorsRemoved :exec
UPDATE document_vectors SET removed_at = coalesce(removed_at, @removed_at)
 WHERE workspace_id = @workspace_id AND document_id = @document_id AND generation = ANY (@generations::integer[]);

-- name: ForgetVectors :exec
-- Removes the rows of vectors that were removed twice.
DELETE FROM document_vectors
 WHERE workspace_id = @workspace_id AND document_id = @document_id AND generation = ANY (@generations::integer[]) AND removed_at < @before;

-- name: LocateOldVectors :many
SELECT workspace_id::uuid AS workspace_id, document_id::uuid AS document_id
  FROM app.locate_old_vectors(@older_seconds::double precision, @max_rows::integer);

-- name: FindEmbeddings :many
SELECT hash, embedding FROM embedding_cache WHERE workspace_id = @workspace_id AND hash = ANY (@hashes::bytea[]);

-- name: KeepEmbeddings :exec
INSERT INTO embedding_cache (workspace_id, hash, embedding, created_at)
SELECT @workspace_id, c.hash, CAST(c.embedding AS real[]), @created_at
  FROM (SELECT unnest(@hashes::bytea[]) AS hash, unnest(@embeddings::text[]) AS embedding) AS c
 ORDER BY c.hash
    ON CONFLICT (workspace_id, hash) DO NOTHING;

-- name: ExpireEmbeddings :exec
-- Removes the oldest beyond a number.
DELETE FROM embedding_cache c
 WHERE c.workspace_id = @workspace_id
   AND c.created_at <= (SELECT o.created_at FROM embedding_cache o WHERE o.workspace_id = @workspace_id ORDER BY o.created_at DESC OFFSET @kept::integer LIMIT 1);

-- name: UseEmbeddingCost :exec
-- Counts what embeddings have cost.
SELECT app.use(@workspace_id, @moment, jsonb_build_object('cost_micros', @micros::bigint), @limits, false);

-- name: SetEmbedded :exec
-- How many chunks of the generation that is built have a vector: no fewer than others have recorded, unless it is the beginning.
UPDATE documents SET chunks_done = CASE WHEN @chunks_done::integer = 0 THEN 0 ELSE greatest(chunks_done, @chunks_done::integer) END, error_code = NULL, error_message = NULL, updated_at = @updated_at WHERE workspace_id = @workspace_id AND id = @id;

-- name: SetWaiting :exec
-- Why a document waits.
UPDATE documents SET error_code = @error_code::text, error_message = @error_message::text, updated_at = @updated_at
 WHERE workspace_id = @workspace_id AND id = @id AND building = @generation::integer AND status = 'embedding';

-- name: CurrentChunks :many
-- Of these chunks those of current generations, in bases as they are wanted, and whether their metadata is.
SELECT c.id, c.base_id, c.document_id, c.ordinal, d.title,
       (@filter::jsonb = '{}' OR NOT EXISTS (SELECT FROM jsonb_each(@filter::jsonb) f WHERE NOT coalesce(f.value @> (d.metadata -> f.key), false)))::boolean AS matches
  FROM (SELECT c.* FROM chunks c WHERE c.workspace_id = @workspace_id AND c.id = ANY (@ids::uuid[]) AND c.base_id = ANY (@bases::uuid[]) OFFSET 0) c
 CROSS JOIN LATERAL (SELECT d.title, d.metadata FROM documents d
                      WHERE d.workspace_id = @workspace_id AND d.id = c.document_id AND d.generation = c.generation AND d.status <> 'deleting' OFFSET 0) d
  JOIN knowledge_bases b ON b.workspace_id = @workspace_id AND b.id = c.base_id AND b.deleted_at IS NULL;

-- name: EmptyEmbeddingCache :exec
DELETE FROM embedding_cache WHERE workspace_id = @workspace_id;
