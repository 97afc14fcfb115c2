-- name: CreateKnowledgeBase :exec
INSERT INTO knowledge_bases (workspace_id, id, name, description, language, embedding_model, chunk_size, chunk_overlap, created_by, created_at, updated_at)
VALUES (@workspace_id, @id, @name, @description, @language, @embedding_model, @chunk_size, @chunk_overlap, @created_by, @created_at, @updated_at);

-- name: GetKnowledgeBase :one
SELECT sqlc.embed(b),
       coalesce((SELECT jsonb_object_agg(s.status, s.n)
                   FROM (SELECT d.status, count(*) AS n FROM documents d WHERE d.workspace_id = b.workspace_id AND d.base_id = b.id GROUP BY d.status) s), '{}')::jsonb AS counts,
       (SELECT coalesce(sum(d.chunks), 0) FROM documents d WHERE d.workspace_id = b.workspace_id AND d.base_id = b.id AND d.status <> 'deleting')::bigint AS chunks
  FROM knowledge_bases b
 WHERE b.workspace_id = @workspace_id AND b.id = @id AND b.deleted_at IS NULL;

-- name: ListKnowledgeBases :many
SELECT sqlc.embed(b),
       coalesce((SELECT jsonb_object_agg(s.status, s.n)
                   FROM (SELECT d.status, count(*) AS n FROM documents d WHERE d.workspace_id = b.workspace_id AND d.base_id = b.id GROUP BY d.status) s), '{}')::jsonb AS counts,
       (SELECT coalesce(sum(d.chunks), 0) FROM documents d WHERE d.workspace_id = b.workspace_id AND d.base_id = b.id AND d.status <> 'deleting')::bigint AS chunks
  FROM knowledge_bases b
 WHERE b.workspace_id = @workspace_id AND b.deleted_at IS NULL AND (sqlc.narg('before')::uuid IS NULL OR b.id < sqlc.narg('before')::uuid)
 ORDER BY b.id DESC
 LIMIT @count;

-- name: FindKnowledgeBases :many
-- Bases by their ids, or all of the workspace where there are none.
SELECT b.* FROM knowledge_bases b
 WHERE b.workspace_id = @workspace_id AND b.deleted_at IS NULL AND (cardinality(@ids::uuid[]) = 0 OR b.id = ANY (@ids::uuid[]))
 ORDER BY b.id
 LIMIT @count;

-- name: LockKnowledgeBase :one
-- Documents whose row is written twice in a transaction look at their base (a foreign key): they do not wait for this lock.
SELECT * FROM knowledge_bases WHERE workspace_id = @workspace_id AND id = @id AND deleted_at IS NULL FOR NO KEY UPDATE;

-- name: ShareKnowledgeBase :one
-- Reads a base that nobody deletes or changes until the end of the transaction.
SELECT * FROM knowledge_bases WHERE workspace_id = @workspace_id AND id = @id AND deleted_at IS NULL FOR SHARE;

-- name: ShareKnowledgeBases :many
-- The bases of a list that are there. Nobody deletes or changes them until the end of the transaction.
SELECT id FROM knowledge_bases WHERE workspace_id = @workspace_id AND id = ANY (@ids::uuid[]) AND deleted_at IS NULL ORDER BY id FOR SHARE;

-- name: ShareKnowledgeBasesOfBot :many
-- The bases that the latest and the published version of a bot name and that are there. Nobody deletes or changes them until the end
-- of the transaction.
SELECT k.id FROM knowledge_bases k
 WHERE k.workspace_id = @workspace_id AND k.deleted_at IS NULL
   AND EXISTS (SELECT FROM app.bot_knowledge b
                WHERE b.workspace_id = k.workspace_id AND b.bot_id = @bot_id AND b.bases @> jsonb_build_array(jsonb_build_object('id', k.id)))
 ORDER BY k.id
   FOR SHARE OF k;

-- name: ListBotsOfKnowledgeBase :many
-- Bots that are not archived and name a base in their latest or published version, with how many there are.
SELECT u.bot_id::uuid AS bot_id, u.name::text AS name, count(*) OVER () AS total
  FROM (SELECT DISTINCT b.bot_id, b.name FROM app.bot_knowledge b
         WHERE b.workspace_id = @workspace_id AND b.status <> 'archived'
           AND b.bases @> jsonb_build_array(jsonb_build_object('id', @base_id::uuid))) u
 ORDER BY u.name, u.bot_id
 LIMIT @count;

-- name: SaveKnowledgeBase :exec
UPDATE knowledge_bases SET name = @name, description = @description, embedding_model = @embedding_model, chunk_size = @chunk_size, chunk_overlap = @chunk_overlap, updated_at = @updated_at
 WHERE workspace_id = @workspace_id AND id = @id;

-- name: MarkKnowledgeBaseDeleted :exec
UPDATE knowledge_bases SET deleted_at = @deleted_at WHERE workspace_id = @workspace_id AND id = @id;

-- name: GetKnowledgeBaseState :one
-- Whether a base is deleted.
SELECT (deleted_at IS NOT NULL)::boolean AS deleted FROM knowledge_bases WHERE workspace_id = @workspace_id AND id = @id;

-- name: RemoveKnowledgeBase :exec
-- Removes the row of a deleted base that has no documents any more.
DELETE FROM knowledge_bases b
 WHERE b.workspace_id = @workspace_id AND b.id = @id AND b.deleted_at IS NOT NULL
   AND NOT EXISTS (SELECT FROM documents d WHERE d.workspace_id = b.workspace_id AND d.base_id = b.id);
