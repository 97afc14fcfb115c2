-- name: RecallThread :many
-- What a model is told besides the message: the newest messages of its path, or where that is empty of all before it, as far as they are not too
-- many bytes together, and the workspace's own keys. One query, since it is made for each turn. A message that was not
-- answered since its provider refuses it (its turn failed with one of these codes) is left out, or every later turn would fail. An answer has
-- the calls of tools that were made for it, with the beginnings of long texts.
WITH newest AS (
    SELECT m.seq, m.role, m.content, m.turn_id, m.attached, lead(m.role) OVER (ORDER BY m.seq) AS next_role
      FROM (SELECT x.seq, x.role, x.content, x.turn_id, x.attached FROM messages x
             WHERE x.workspace_id = @workspace_id AND x.thread_id = @thread_id AND x.erased_at IS NULL
               AND x.seq < CASE @path::text WHEN '' THEN @before::bigint ELSE coalesce(upper(nullif(@path::text, '')::int8multirange), 1) END
               AND CASE @path::text WHEN '' THEN true ELSE x.seq <@ (@path::text)::int8multirange END
             ORDER BY x.seq DESC LIMIT @most) m
), history AS (
    SELECT n.seq, n.role, n.content, n.turn_id, n.attached, sum(octet_length(n.content)) OVER (ORDER BY n.seq DESC) AS total
      FROM newest n
     WHERE n.role <> 'user' OR coalesce(n.next_role, '') = 'assistant' OR NOT coalesce((
           SELECT t.error_code FROM llm_turns t -- by its key: no plan reads all that failed
            WHERE t.workspace_id = @workspace_id AND t.id = n.turn_id AND t.status = 'failed') = ANY (@refused::text[]), false)
)
SELECT h.seq, h.role, h.content, h.turn_id, ''::text AS provider, ''::bytea AS sealed, ''::text AS base_url,
       coalesce(CASE WHEN h.role = 'assistant' THEN (
           SELECT jsonb_agg(jsonb_build_object('step', c.step, 'said', left(c.said, @max_chars::integer), 'model_id', c.model_id, 'name', c.name, 'kind', c.kind, 'status', c.status,
                            'arguments', CASE WHEN octet_length(c.arguments::text) <= @max_chars::integer THEN c.arguments ELSE '{}' END,
                            'result', left(c.result, @max_chars::integer), 'reason', c.reason) ORDER BY c.step, c.place)
             FROM tool_calls c WHERE c.workspace_id = @workspace_id AND c.turn_id = h.turn_id) END, 'null')::jsonb AS calls, h.attached
  FROM history h WHERE h.total <= @max_bytes::bigint
 UNION ALL
SELECT 0, '', '', NULL, k.provider, k.sealed, coalesce(k.base_url, ''), 'null', false FROM model_keys k WHERE k.workspace_id = @workspace_id
 ORDER BY 1;

-- name: GetModelSettings :one
SELECT default_model, fallbacks FROM model_settings WHERE workspace_id = @workspace_id;

-- name: PutModelSettings :exec
INSERT INTO model_settings (workspace_id, default_model, fallbacks, updated_at)
VALUES (@workspace_id, sqlc.narg('default_model'), @fallbacks, @updated_at)
    ON CONFLICT (workspace_id) DO UPDATE
   SET default_model = excluded.default_model, fallbacks = excluded.fallbacks, updated_at = excluded.updated_at;

-- name: PutModelKey :exec
INSERT INTO model_keys (workspace_id, provider, sealed, last_four, base_url, created_by, created_at)
VALUES (@workspace_id, @provider, @sealed, @last_four, sqlc.narg('base_url'), @created_by, @created_at)
    ON CONFLICT (workspace_id, provider) DO UPDATE
   SET sealed = excluded.sealed, last_four = excluded.last_four, base_url = excluded.base_url,
       created_by = excluded.created_by, created_at = excluded.created_at;

-- name: ListModelKeys :many
SELECT provider, last_four, base_url, created_at FROM model_keys WHERE workspace_id = @workspace_id ORDER BY provider;

-- name: ListSealedModelKeys :many
SELECT provider, sealed, coalesce(base_url, '') AS base_url FROM model_keys WHERE workspace_id = @workspace_id ORDER BY provider;

-- name: DeleteModelKey :one
DELETE FROM model_keys WHERE workspace_id = @workspace_id AND provider = @provider RETURNING provider;

-- name: ModelKeysToReseal :many
SELECT provider, sealed FROM model_keys
 WHERE workspace_id = @workspace_id AND provider > @after AND substring(sealed FROM 1 FOR 9) <> @mark::bytea
 ORDER BY provider
 LIMIT @count
   FOR UPDATE;

-- name: ResealModelKey :exec
UPDATE model_keys SET sealed = @sealed WHERE workspace_id = @workspace_id AND provider = @provider;
