-- name: ClaimOperation :exec
SELECT app.claim_operation(@workspace_id::uuid, @actor_id::uuid, @id::uuid, @fingerprint::bytea);

-- name: FinishOperation :exec
UPDATE operations
   SET finished_at = now(), status = @status::smallint, content_type = @content_type::text,
       location = sqlc.narg('location'), etag = sqlc.narg('etag'), body = @body::bytea
 WHERE workspace_id = @workspace_id AND actor_id = @actor_id AND id = @id;

-- name: FindOperation :one
SELECT fingerprint, created_at, finished_at, status, content_type, location, etag, body
  FROM operations
 WHERE workspace_id = @workspace_id AND actor_id = @actor_id AND id = @id;
