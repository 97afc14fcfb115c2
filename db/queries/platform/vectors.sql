-- name: UpsertVectors :exec
-- One array a column. A vector comes as the text of an array, as arrays of arrays want all to be of one length.
INSERT INTO vectors (workspace_id, collection, id, embedding, signs, document_id, chunk, content, labels)
SELECT @workspace_id, @collection, id, embedding::real[], signs::varbit, document_id, chunk, content, labels::jsonb
  FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@embeddings::text[]) AS embedding, unnest(@signs::text[]) AS signs, unnest(@documents::uuid[]) AS document_id,
               unnest(@chunks::integer[]) AS chunk, unnest(@contents::text[]) AS content, unnest(@labels::text[]) AS labels) AS p
 ORDER BY id -- so that of two at once one waits for the other
    ON CONFLICT (workspace_id, collection, id) DO UPDATE
   SET embedding = excluded.embedding, signs = excluded.signs, document_id = excluded.document_id, chunk = excluded.chunk,
       content = excluded.content, labels = excluded.labels;

-- name: RequireRoom :one
-- Raises PY404 where a collection has grown too large in a workspace.
SELECT app.require((SELECT count(*) FROM vectors WHERE workspace_id = @workspace_id AND collection = @collection) <= @most::bigint, 'room');

-- name: SearchVectors :many
-- The nearest vectors of a collection. Those that differ least in sign from the query are compared exactly, by their dot products; of few
-- vectors, as those of one filter mostly are, these are all. The long columns are stored apart, so that the first step does not read them.
WITH near AS MATERIALIZED (
    SELECT v.id, v.embedding, v.document_id, v.chunk, v.content, v.labels
      FROM vectors v
     WHERE v.workspace_id = @workspace_id AND v.collection = @collection
       AND (cardinality(@labels::text[]) = 0 OR v.labels @> ANY (CAST(@labels::text[] AS jsonb[])))
       AND (cardinality(@document_ids::uuid[]) = 0 OR v.document_id = ANY (@document_ids::uuid[]))
     ORDER BY bit_count(v.signs # CAST(@signs::text AS varbit)) NULLS FIRST
     LIMIT @compared::integer
)
SELECT n.id, n.document_id, n.chunk, n.content, n.labels, dot.score::real AS score
  FROM near n CROSS JOIN LATERAL (SELECT app.dot(n.embedding, @query::real[]) AS score OFFSET 0) dot
 WHERE dot.score >= @least::real
 ORDER BY dot.score DESC, n.id
 LIMIT @most::integer;

-- name: DeleteVectors :exec
DELETE FROM vectors WHERE workspace_id = @workspace_id AND collection = @collection AND id = ANY (@ids::uuid[]);

-- name: DeleteVectorsWhere :exec
DELETE FROM vectors WHERE workspace_id = @workspace_id AND collection = @collection
   AND (cardinality(@labels::text[]) = 0 OR labels @> ANY (CAST(@labels::text[] AS jsonb[])))
   AND (cardinality(@document_ids::uuid[]) = 0 OR document_id = ANY (@document_ids::uuid[]));
