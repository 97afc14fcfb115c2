-- name: ReadableWords :many
-- Of the words of a search those that its caller may learn of, with how many chunks have them.
SELECT word::text AS word, chunks::integer AS chunks FROM app.readable_words(@bases::uuid[], @words::text[], @counts::integer[]);

-- name: SearchChunks :many
-- The words that were searched, the rarest first, and the chunks that have some, the likest first: in one statement, as each of its
-- own would enter the workspace again. What was found is read again under row-level security: only chunks of what is current now are given.
-- OFFSET 0 keeps the planner from turning the order around while it does not know how large a new base is.
WITH words AS MATERIALIZED (
    SELECT word::text AS word, coalesce(instead_of, '')::text AS instead_of, chunks::integer AS chunks, weight::real AS weight
      FROM app.search_words(@language::text, @words::text, @max_words::integer)
), weighed AS (
    SELECT array_agg(w.word ORDER BY w.weight DESC, w.word) AS words, array_agg(w.weight ORDER BY w.weight DESC, w.word) AS weights,
           array_agg(w.chunks ORDER BY w.weight DESC, w.word) AS counts
      FROM words w WHERE w.weight > 0
), found AS (
    SELECT f.score::real AS score, c.id, c.base_id, c.document_id, c.ordinal, d.title
      FROM weighed w
     CROSS JOIN LATERAL app.search_chunks(@bases::uuid[], w.words, w.weights, w.counts, @filter::jsonb, @max_seen::integer, @max_rows::integer) f
     CROSS JOIN LATERAL (SELECT c.id, c.base_id, c.document_id, c.generation, c.ordinal FROM chunks c WHERE c.workspace_id = @workspace_id AND c.id = f.chunk_id OFFSET 0) c
     CROSS JOIN LATERAL (SELECT d.title FROM documents d
                          WHERE d.workspace_id = @workspace_id AND d.id = c.document_id AND d.generation = c.generation AND d.status <> 'deleting' OFFSET 0) d
      JOIN knowledge_bases b ON b.workspace_id = @workspace_id AND b.id = c.base_id AND b.deleted_at IS NULL
)
SELECT true AS is_word, w.word, w.instead_of, w.chunks, w.weight AS score,
       '00000000-0000-0000-0000-000000000000'::uuid AS id, '00000000-0000-0000-0000-000000000000'::uuid AS base_id,
       '00000000-0000-0000-0000-000000000000'::uuid AS document_id, 0::integer AS ordinal, ''::text AS title
  FROM words w
UNION ALL
SELECT false, '', '', 0, f.score, f.id, f.base_id, f.document_id, f.ordinal, f.title
  FROM found f
 ORDER BY 1 DESC, 5 DESC, 2, 6;

-- name: ReadFoundChunks :many
SELECT c.id, c.page, c.start_at, c.end_at, c.headings, c.table_header, c.text, app.word_numbers(c.tsv, @stems::text[])::integer[] AS words
  FROM (SELECT c.* FROM chunks c WHERE c.workspace_id = @workspace_id AND c.id = ANY (@ids::uuid[]) OFFSET 0) c
 CROSS JOIN LATERAL (SELECT FROM documents d
                      WHERE d.workspace_id = @workspace_id AND d.id = c.document_id AND d.generation = c.generation AND d.status <> 'deleting' OFFSET 0) d;

-- name: ListPageStarts :many
SELECT t.document_id, t.page_starts::integer[] AS page_starts
  FROM document_texts t
  JOIN documents d ON d.workspace_id = t.workspace_id AND d.id = t.document_id AND d.generation = t.generation
 WHERE t.workspace_id = @workspace_id AND t.document_id = ANY (@ids::uuid[]) AND t.page_starts IS NOT NULL;
