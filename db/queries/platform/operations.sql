-- name: ClaimOperation :exec
SELECT app.claim_operation(@workspace_id::uuid, @actor_id::uuid, @id::uuid, @fingerprint::bytea);

-- name: FinishOperation :exec
UPDATE operations
   SET finished_at = now(), status = @status::smallint, content_type = @content_type::text,
       location = sqlc.narg('location'), etag = sqlc.narg('etag'), body = @body::bytea
 WHERE workspace_id = @workspace_id AND actor_id = @actor_id AND id = @id;

-- name: FindOperation :one
SELECT fingerprint, finished_at, status, content_type, location, etag, body,
       (finished_at IS NOT NULL AND (body IS NULL OR finished_at < now() - interval '7 days'))::boolean AS expired
  FROM operations
 WHERE workspace_id = @workspace_id AND actor_id = @actor_id AND id = @id;

-- name: ExpireOperations :one
-- Empties answers older than 7 days and removes tombstones older than 97; says how many rows it touched.
SELECT app.expire_operations(@most::integer)::integer;
