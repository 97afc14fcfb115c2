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

-- name: LockOwnedFiles :exec
-- Uploads of one owner wait for each other, so that its limits hold.
SELECT pg_advisory_xact_lock(hashtextextended('files of ' || @owner_id::uuid, 0));

-- name: CountOwnedFiles :one
-- Up to a number of files: an owner has no more.
SELECT count(*)::integer AS files, coalesce(sum(f.size), 0)::bigint AS bytes
  FROM (SELECT o.size FROM files o WHERE o.workspace_id = @workspace_id AND o.owner_id = @owner_id::uuid LIMIT @most) f;

-- name: ListOwnedFiles :many
SELECT id FROM files WHERE workspace_id = @workspace_id AND owner_id = @owner_id::uuid LIMIT @count;
