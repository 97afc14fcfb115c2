-- name: CountExports :one
-- How many exports were asked for since a time, when the first of them, and the one that waits or runs.
SELECT count(*) FILTER (WHERE e.created_at > @since::timestamptz) AS asked,
       coalesce(min(e.created_at) FILTER (WHERE e.created_at > @since::timestamptz), now())::timestamptz AS first,
       coalesce((array_agg(e.id) FILTER (WHERE e.status IN ('queued', 'running')))[1], '00000000-0000-0000-0000-000000000000')::uuid AS busy
  FROM workspace_exports e
 WHERE e.workspace_id = @workspace_id;

-- name: CreateExport :one
INSERT INTO workspace_exports (workspace_id, id, status, created_by, created_at)
VALUES (@workspace_id, @id, 'queued', @created_by, @created_at)
RETURNING id;

-- name: GetExport :one
SELECT * FROM workspace_exports WHERE workspace_id = @workspace_id AND id = @id;

-- name: ReadableExport :one
-- The export of a link, unless its workspace is deleted.
SELECT e.* FROM workspace_exports e JOIN workspaces w ON w.id = e.workspace_id
 WHERE e.workspace_id = @workspace_id AND e.id = @id AND w.deleted_at IS NULL;

-- name: ListExports :many
SELECT * FROM workspace_exports
 WHERE workspace_id = @workspace_id AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before')::uuid)
 ORDER BY id DESC
 LIMIT @count;

-- name: BeginExport :one
-- Another attempt begins anew. No row where the export has ended, or its workspace is deleted.
UPDATE workspace_exports e
   SET status = 'running', started_at = coalesce(e.started_at, @moment::timestamptz), attempt = e.attempt + 1, rows_done = 0, files_done = 0, files_total = NULL
 WHERE e.workspace_id = @workspace_id AND e.id = @id AND e.status IN ('queued', 'running')
   AND EXISTS (SELECT FROM workspaces w WHERE w.id = e.workspace_id AND w.deleted_at IS NULL)
RETURNING e.attempt;

-- name: NoteExportProgress :exec
UPDATE workspace_exports SET rows_done = @rows_done, files_done = @files_done, files_total = @files_total
 WHERE workspace_id = @workspace_id AND id = @id AND status = 'running' AND attempt = @attempt;

-- name: CompleteExport :one
-- Of the attempt that runs; no row for one that another has replaced.
UPDATE workspace_exports
   SET status = 'completed', finished_at = @moment, expires_at = @expires_at, rows_done = @rows_done, files_done = @files_done, files_total = @files_total,
       size = @size, sha256 = @sha256
 WHERE workspace_id = @workspace_id AND id = @id AND status = 'running' AND attempt = @attempt
RETURNING id;

-- name: FailExport :exec
UPDATE workspace_exports SET status = 'failed', finished_at = @moment, error_code = @error_code, error_message = @error_message
 WHERE workspace_id = @workspace_id AND id = @id AND status IN ('queued', 'running');

-- name: ExpireExport :exec
UPDATE workspace_exports SET status = 'expired', finished_at = @moment WHERE workspace_id = @workspace_id AND id = @id AND status = 'completed';

-- name: ForgetExport :exec
DELETE FROM workspace_exports WHERE workspace_id = @workspace_id AND id = @id AND status IN ('failed', 'expired');

-- name: OldExports :many
SELECT workspace_id::uuid AS workspace_id, id::uuid AS id FROM app.locate_old_exports(@max_rows::integer);
