-- name: CreateTool :exec
INSERT INTO tools (workspace_id, id, kind, name, current_version, created_by, created_at, updated_at)
VALUES (@workspace_id, @id, @kind, @name, @current_version, @created_by, @created_at, @updated_at);

-- name: CreateToolVersion :exec
INSERT INTO tool_versions (workspace_id, tool_id, version, description, schema, effect, timeout_ms, max_output_bytes, url, method, idempotency_header, remote_name, definition_hash, redact, note, created_by, created_at)
VALUES (@workspace_id, @tool_id, @version, @description, @schema, @effect, @timeout_ms, @max_output_bytes, @url, @method, @idempotency_header, @remote_name, @definition_hash, @redact, @note,
        @created_by, @created_at);

-- name: SaveTool :exec
UPDATE tools SET current_version = @current_version, updated_at = @updated_at WHERE workspace_id = @workspace_id AND id = @id;

-- name: GetTool :one
SELECT sqlc.embed(t), sqlc.embed(v), c.type AS credentials_type, c.origin AS credentials_origin, c.created_at AS credentials_at,
       r.status AS review_status, r.hash AS review_hash, r.description AS review_description, r.schema AS review_schema, r.effect AS review_effect,
       r.problem AS review_problem, r.found_at AS review_found_at
  FROM tools t
  JOIN tool_versions v ON v.workspace_id = t.workspace_id AND v.tool_id = t.id AND v.version = t.current_version
  LEFT JOIN tool_credentials c ON c.workspace_id = t.workspace_id AND c.tool_id = t.id
  LEFT JOIN tool_reviews r ON r.workspace_id = t.workspace_id AND r.tool_id = t.id
 WHERE t.workspace_id = @workspace_id AND t.id = @id;

-- name: LockTool :exec
-- Keeps others from changing or deleting the tool, and bots from beginning to use it, until the transaction ends. It is read by the next
-- statement, as a bot is (LockBot).
SELECT 1 FROM tools WHERE workspace_id = @workspace_id AND id = @id FOR UPDATE;

-- name: ListTools :many
-- Without their schemas.
SELECT sqlc.embed(t), v.description, v.effect, v.timeout_ms, v.max_output_bytes, v.url, v.method, v.idempotency_header, v.remote_name,
       r.status AS review_status
  FROM tools t
  JOIN tool_versions v ON v.workspace_id = t.workspace_id AND v.tool_id = t.id AND v.version = t.current_version
  LEFT JOIN tool_reviews r ON r.workspace_id = t.workspace_id AND r.tool_id = t.id
 WHERE t.workspace_id = @workspace_id
   AND (sqlc.narg('name_part')::text IS NULL OR strpos(lower(t.name), lower(sqlc.narg('name_part')::text)) > 0)
   AND (sqlc.narg('kind')::text IS NULL OR t.kind = sqlc.narg('kind')::text)
   AND (sqlc.narg('review')::text IS NULL OR r.status = sqlc.narg('review')::text)
   AND (sqlc.narg('before')::uuid IS NULL OR t.id < sqlc.narg('before')::uuid)
 ORDER BY t.id DESC
 LIMIT @count;

-- name: ListToolVersions :many
SELECT sqlc.embed(v), t.kind, t.name
  FROM tool_versions v
  JOIN tools t ON t.workspace_id = v.workspace_id AND t.id = v.tool_id
 WHERE v.workspace_id = @workspace_id AND v.tool_id = @tool_id
   AND (sqlc.narg('before')::integer IS NULL OR v.version < sqlc.narg('before')::integer)
 ORDER BY v.version DESC
 LIMIT @count;

-- name: PinTools :many
-- Versions of tools, by refs: [{"id", "version"}], each tool once, where no version is the newest.
SELECT sqlc.embed(v), t.kind, t.name, c.type AS credentials_type, c.origin AS credentials_origin, c.sealed AS credentials_sealed
  FROM jsonb_to_recordset(@refs::jsonb) AS r(id uuid, version integer)
  JOIN tools t ON t.workspace_id = @workspace_id AND t.id = r.id
  JOIN tool_versions v ON v.workspace_id = t.workspace_id AND v.tool_id = t.id AND v.version = coalesce(r.version, t.current_version)
  LEFT JOIN tool_credentials c ON c.workspace_id = t.workspace_id AND c.tool_id = t.id;

-- name: ShareTools :many
-- The tools of a list that are there. Nobody deletes them until the end of the transaction.
SELECT id, name, kind, current_version FROM tools WHERE workspace_id = @workspace_id AND id = ANY (@ids::uuid[]) ORDER BY id FOR SHARE;

-- name: ShareToolsOfBot :many
-- The tools that the latest and the published version of a bot name and that are there. Nobody deletes them until the end of the transaction.
SELECT t.id FROM tools t
 WHERE t.workspace_id = @workspace_id
   AND EXISTS (SELECT FROM app.bot_tools b
                WHERE b.workspace_id = t.workspace_id AND b.bot_id = @bot_id AND b.tools @> jsonb_build_array(jsonb_build_object('id', t.id)))
 ORDER BY t.id
   FOR SHARE OF t;

-- name: ListBotsOfTool :many
-- Bots that are not archived and name a tool in their latest or published version, with how many there are.
SELECT u.bot_id::uuid AS bot_id, u.name::text AS name, count(*) OVER () AS total
  FROM (SELECT DISTINCT b.bot_id, b.name FROM app.bot_tools b
         WHERE b.workspace_id = @workspace_id AND b.status <> 'archived'
           AND b.tools @> jsonb_build_array(jsonb_build_object('id', @tool_id::uuid))) u
 ORDER BY u.name, u.bot_id
 LIMIT @count;

-- name: FoundToolDefinition :exec
-- Stores what the server of a tool has, once: not where the newest version has it, nor where it was found before.
INSERT INTO tool_reviews (workspace_id, tool_id, status, hash, description, schema, effect, problem, found_at)
SELECT @workspace_id, t.id, @status, @hash, @description, sqlc.narg('schema'), @effect, @problem, @found_at
  FROM tools t
  JOIN tool_versions v ON v.workspace_id = t.workspace_id AND v.tool_id = t.id AND v.version = t.current_version AND v.definition_hash <> @hash
 WHERE t.workspace_id = @workspace_id AND t.id = @tool_id
ON CONFLICT (workspace_id, tool_id) DO UPDATE SET status = excluded.status, hash = excluded.hash, description = excluded.description, schema = excluded.schema,
       effect = excluded.effect, problem = excluded.problem, found_at = excluded.found_at
 WHERE tool_reviews.hash <> excluded.hash;

-- name: RejectToolDefinition :exec
UPDATE tool_reviews SET status = 'rejected' WHERE workspace_id = @workspace_id AND tool_id = @tool_id;

-- name: DeleteToolReview :exec
DELETE FROM tool_reviews WHERE workspace_id = @workspace_id AND tool_id = @tool_id;

-- name: DeleteTool :exec
DELETE FROM tools WHERE workspace_id = @workspace_id AND id = @id;

-- name: PutToolCredentials :exec
INSERT INTO tool_credentials (workspace_id, tool_id, type, origin, sealed, created_by, created_at)
VALUES (@workspace_id, @tool_id, @type, @origin, @sealed, @created_by, @created_at)
ON CONFLICT (workspace_id, tool_id) DO UPDATE SET type = excluded.type, origin = excluded.origin, sealed = excluded.sealed, created_by = excluded.created_by, created_at = excluded.created_at;

-- name: DeleteToolCredentials :exec
DELETE FROM tool_credentials WHERE workspace_id = @workspace_id AND tool_id = @tool_id;

-- name: ToolCredentialsToReseal :many
SELECT tool_id, sealed FROM tool_credentials
 WHERE workspace_id = @workspace_id AND tool_id > @after AND substring(sealed FROM 1 FOR 9) <> @mark::bytea
 ORDER BY tool_id LIMIT @count FOR UPDATE;

-- name: ResealToolCredentials :exec
UPDATE tool_credentials SET sealed = @sealed WHERE workspace_id = @workspace_id AND tool_id = @tool_id;
