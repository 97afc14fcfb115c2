-- name: GetEmbeddingKey :one
SELECT * FROM embedding_keys WHERE workspace_id = @workspace_id;

-- name: LockEmbeddingKeys :exec
-- Nobody else changes the key of the workspace until the end of the transaction, also where it has none.
SELECT pg_advisory_xact_lock(hashtextextended('embedding key of ' || @workspace_id::uuid, 0));

-- name: PutEmbeddingKey :exec
INSERT INTO embedding_keys (workspace_id, sealed, last_four, model, base_url, dimensions, created_by, created_at)
VALUES (@workspace_id, @sealed, @last_four, @model, sqlc.narg('base_url'), sqlc.narg('dimensions'), @created_by, @created_at)
    ON CONFLICT (workspace_id) DO UPDATE
   SET sealed = excluded.sealed, last_four = excluded.last_four, model = excluded.model, base_url = excluded.base_url,
       dimensions = excluded.dimensions, created_by = excluded.created_by, created_at = excluded.created_at;

-- name: DeleteEmbeddingKey :exec
DELETE FROM embedding_keys WHERE workspace_id = @workspace_id;

-- name: ListBasesOfModels :many
-- The bases that name one of some models. Nobody changes them until the end of the transaction.
SELECT * FROM knowledge_bases
 WHERE workspace_id = @workspace_id AND deleted_at IS NULL AND embedding_model = ANY (@models::text[])
 ORDER BY id
   FOR UPDATE;

-- name: EmbeddingKeysToReseal :many
SELECT sealed FROM embedding_keys WHERE workspace_id = @workspace_id AND substring(sealed FROM 1 FOR 9) <> @mark::bytea FOR UPDATE;

-- name: ResealEmbeddingKey :exec
UPDATE embedding_keys SET sealed = @sealed WHERE workspace_id = @workspace_id;
