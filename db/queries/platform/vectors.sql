-- name: UpsertVectors :exec
-- One array a column. A vector comes as the text of an array, as arrays of arrays want all to be of one length.
INSERT INTO vectors (workspace_id, collection, id, embedding, document_id, chunk, content, labels)
SELECT @workspace_id, @collection, id, embedding::real[], document_id, chunk, content, labels::jsonb
  FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@embeddings::text[]) AS embedding, unnest(@documents::uuid[]) AS document_id,
               unnest(@chunks::integer[]) AS chunk, unnest(@contents::text[]) AS content, unnest(@labels::text[]) AS labels) AS p
 ORDER BY id -- so that of two at once one waits for the other
    ON CONFLICT (workspace_id, collection, id) DO UPDATE
   SET embedding = excluded.embedding, document_id = excluded.document_id, chunk = excluded.chunk,
       content = excluded.content, labels = excluded.labels;

-- name: RequireRoom :one
-- Raises PY404 where a collection has grown too large in a workspace.
SELECT app.require((SELECT count(*) FROM vectors WHERE workspace_id = @workspace_id AND collection = @collection) <= @most::bigint, 'room');

-- name: SearchVectors :many
-- The nearest vectors of a collection, exactly: the dot product with each of them. What belongs to them is read for the best alone.
WITH best AS (
    SELECT v.id, near.score
      FROM vectors v CROSS JOIN LATERAL (SELECT app.dot(v.embedding, @query::real[]) AS score OFFSET 0) near
     WHERE v.workspace_id = @workspace_id AND v.collection = @collection AND v.labels @> @labels::jsonb
       AND (sqlc.narg('document_id')::uuid IS NULL OR v.document_id = sqlc.narg('document_id')::uuid)
       AND near.score >= @least::real
     ORDER BY near.score DESC, v.id LIMIT @most::integer
)
SELECT v.id, v.document_id, v.chunk, v.content, v.labels, best.score::real AS score
  FROM best JOIN vectors v ON v.workspace_id = @workspace_id AND v.collection = @collection AND v.id = best.id
 ORDER BY best.score DESC, v.id;

-- name: DeleteVectors :exec
DELETE FROM vectors WHERE workspace_id = @workspace_id AND collection = @collection AND id = ANY (@ids::uuid[]);

-- name: DeleteVectorsWhere :exec
DELETE FROM vectors WHERE workspace_id = @workspace_id AND collection = @collection AND labels @> @labels::jsonb
   AND (sqlc.narg('document_id')::uuid IS NULL OR document_id = sqlc.narg('document_id')::uuid);
