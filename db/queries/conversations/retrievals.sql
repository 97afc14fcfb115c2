-- What turns have found in the knowledge bases of their bots.

-- name: AddRetrievals :exec
-- An attempt whose commit was in doubt finds the rows of its first try.
WITH kept AS (
    INSERT INTO retrievals (workspace_id, turn_id, number, query, mode, degraded, candidates, latency_ms, created_at)
    SELECT @workspace_id, @turn_id, r.number, r.query, r.mode, r.degraded, r.candidates, r.latency_ms, r.created_at
      FROM jsonb_to_recordset(@retrievals::jsonb) AS r(number smallint, query text, mode text, degraded boolean, candidates jsonb, latency_ms integer, created_at timestamptz)
        ON CONFLICT DO NOTHING
)
INSERT INTO retrieved_documents (workspace_id, document_id, turn_id)
SELECT @workspace_id, d, @turn_id FROM unnest(@documents::uuid[]) d
    ON CONFLICT DO NOTHING;

-- name: ListRetrievals :many
SELECT r.number, r.query, r.mode, r.degraded, r.candidates, r.latency_ms, r.created_at
  FROM retrievals r
  JOIN llm_turns t ON t.workspace_id = r.workspace_id AND t.id = r.turn_id AND t.thread_id = @thread_id
 WHERE r.workspace_id = @workspace_id AND r.turn_id = @turn_id
   AND EXISTS (SELECT FROM threads th WHERE th.workspace_id = @workspace_id AND th.id = @thread_id AND th.deleted_at IS NULL)
 ORDER BY r.number;

-- name: LockQuotingTurns :many
-- Turns that do not run, in whose retrievals any of the documents is, a row for each of their documents. No attempt at them begins until
-- the end of the transaction.
SELECT r.turn_id
  FROM retrieved_documents r
  JOIN llm_turns t ON t.workspace_id = r.workspace_id AND t.id = r.turn_id AND t.finished_at IS NOT NULL
 WHERE r.workspace_id = @workspace_id AND r.document_id = ANY (@document_ids::uuid[])
 ORDER BY r.document_id, r.turn_id
 LIMIT @count
   FOR NO KEY UPDATE OF t SKIP LOCKED;

-- name: EraseQuotes :exec
-- Removes from turns what they have of documents: titles, headings and texts. What was streamed and the stored answers of their
-- operations are removed as a whole: their audit rows name those.
WITH cited AS (
    UPDATE messages m
       SET citations = (SELECT jsonb_agg(CASE WHEN (c.value ->> 'document_id')::uuid = ANY (@document_ids::uuid[])
                                              THEN c.value || '{"title": "", "quote": ""}' ELSE c.value END ORDER BY c.n)
                          FROM jsonb_array_elements(m.citations) WITH ORDINALITY AS c(value, n))
     WHERE m.workspace_id = @workspace_id AND m.turn_id = ANY (@turn_ids::uuid[]) AND m.citations IS NOT NULL
), found AS (
    UPDATE retrievals r
       SET candidates = (SELECT coalesce(jsonb_agg(CASE WHEN (c.value ->> 'document_id')::uuid = ANY (@document_ids::uuid[])
                                                        THEN (c.value - 'text' - 'headings') || '{"title": ""}' ELSE c.value END ORDER BY c.n), '[]')
                           FROM jsonb_array_elements(r.candidates) WITH ORDINALITY AS c(value, n))
     WHERE r.workspace_id = @workspace_id AND r.turn_id = ANY (@turn_ids::uuid[])
), streamed AS (
    DELETE FROM turn_events e WHERE e.workspace_id = @workspace_id AND e.turn_id = ANY (@turn_ids::uuid[])
), answered AS (
    UPDATE operations o SET body = NULL
      FROM llm_turns t
      JOIN audit_log a ON a.workspace_id = t.workspace_id AND a.resource_id = t.thread_id AND a.changes ->> 'turn_id' = t.id::text
     WHERE t.workspace_id = @workspace_id AND t.id = ANY (@turn_ids::uuid[])
       AND o.workspace_id = @workspace_id AND o.actor_id = coalesce(a.user_id, a.api_key_id) AND o.id = a.operation_id AND o.finished_at IS NOT NULL
)
DELETE FROM retrieved_documents d
 WHERE d.workspace_id = @workspace_id AND d.turn_id = ANY (@turn_ids::uuid[]) AND d.document_id = ANY (@document_ids::uuid[]);

-- name: MayQuote :one
-- Whether a turn quotes any of the documents, or a turn from before a time runs, which may yet do so.
SELECT (EXISTS (SELECT FROM retrieved_documents r WHERE r.workspace_id = @workspace_id AND r.document_id = ANY (@document_ids::uuid[]))
     OR EXISTS (SELECT FROM llm_turns t WHERE t.workspace_id = @workspace_id AND t.finished_at IS NULL AND t.created_at < @before))::boolean;
