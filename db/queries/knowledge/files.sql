-- name: CreateFile :exec
INSERT INTO files (workspace_id, id, name, content_type, size, sha256, created_by, created_at)
VALUES (@workspace_id, @id, @name, @content_type, @size, @sha256, @created_by, @created_at);

-- name: GetFile :one
SELECT * FROM files WHERE workspace_id = @workspace_id AND id = @id;

-- name: ListFiles :many
SELECT * FROM files
 WHERE workspace_id = @workspace_id
   AND (sqlc.narg('before_at')::timestamptz IS NULL
        OR (created_at, id) < (sqlc.narg('before_at')::timestamptz, sqlc.narg('before_id')::uuid))
 ORDER BY created_at DESC, id DESC
 LIMIT @count;

-- name: DeleteFile :one
DELETE FROM files WHERE workspace_id = @workspace_id AND id = @id RETURNING *;

-- name: KnownFiles :many
SELECT id FROM files WHERE workspace_id = @workspace_id AND id = ANY (@ids::uuid[]);
