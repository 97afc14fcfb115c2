-- name: CreateBot :exec
INSERT INTO bots (workspace_id, id, name, status, current_version, created_by, created_at, updated_at, published_version)
VALUES (@workspace_id, @id, @name, @status, @current_version, @created_by, @created_at, @updated_at, @published_version);

-- name: CreateVersion :exec
INSERT INTO bot_versions (workspace_id, bot_id, version, instruction, settings, note, created_by, created_at)
VALUES (@workspace_id, @bot_id, @version, @instruction, @settings, @note, @created_by, @created_at);

-- name: SaveBot :exec
UPDATE bots
   SET name = @name, status = @status, current_version = @current_version, published_version = @published_version,
       updated_at = @updated_at
 WHERE workspace_id = @workspace_id AND id = @id;

-- name: RecordPointerChange :exec
-- Whoever moves a bot's pointer has the bot locked, or is making it: so the number is free.
INSERT INTO bot_pointer_moves (workspace_id, bot_id, number, pointer, from_version, to_version, cause, moved_by, moved_at)
SELECT @workspace_id, @bot_id, coalesce(max(number), 0) + 1, @pointer, sqlc.narg('from_version')::integer, @to_version::integer,
       @cause, @moved_by, @moved_at::timestamptz
  FROM bot_pointer_moves WHERE workspace_id = @workspace_id AND bot_id = @bot_id;

-- name: GetBot :one
SELECT sqlc.embed(b), v.instruction, v.settings
  FROM bots b
  JOIN bot_versions v ON v.workspace_id = b.workspace_id AND v.bot_id = b.id AND v.version = b.current_version
 WHERE b.workspace_id = @workspace_id AND b.id = @id AND b.deleted_at IS NULL;

-- name: LockBot :exec
-- Keeps others from changing the bot until the transaction ends. The bot is read by the next statement: one that waited
-- for the lock and joined at once would see the new row beside the versions of before, and so no bot at all.
SELECT 1 FROM bots WHERE workspace_id = @workspace_id AND id = @id FOR UPDATE;

-- name: ListBots :many
SELECT * FROM bots
 WHERE workspace_id = @workspace_id AND deleted_at IS NULL
   AND (sqlc.narg('name_part')::text IS NULL OR strpos(lower(name), lower(sqlc.narg('name_part')::text)) > 0)
   AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status')::text)
   AND (sqlc.narg('before_at')::timestamptz IS NULL
        OR (created_at, id) < (sqlc.narg('before_at')::timestamptz, sqlc.narg('before_id')::uuid))
 ORDER BY created_at DESC, id DESC
 LIMIT @count;

-- name: GetVersions :many
SELECT v.* FROM bot_versions v
 WHERE v.workspace_id = @workspace_id AND v.bot_id = @bot_id AND v.version = ANY (@versions::integer[])
   AND EXISTS (SELECT FROM bots d WHERE d.workspace_id = @workspace_id AND d.id = @bot_id AND d.deleted_at IS NULL);

-- name: ListVersions :many
-- Instructions and settings have at most max_bytes together, and those of the last two versions more.
SELECT b.* FROM bot_versions b
 WHERE b.workspace_id = @workspace_id AND b.bot_id = @bot_id
   AND EXISTS (SELECT FROM bots d WHERE d.workspace_id = @workspace_id AND d.id = @bot_id AND d.deleted_at IS NULL)
   AND (sqlc.narg('before')::integer IS NULL OR b.version < sqlc.narg('before')::integer)
   AND b.version >= (SELECT min(n.version)
                       FROM (SELECT c.version, sum(c.bytes) OVER (ORDER BY c.version DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) AS bytes_before
                               FROM (SELECT v.version, octet_length(v.instruction) + octet_length(v.settings::text) AS bytes
                                       FROM bot_versions v
                                      WHERE v.workspace_id = @workspace_id AND v.bot_id = @bot_id
                                        AND (sqlc.narg('before')::integer IS NULL OR v.version < sqlc.narg('before')::integer)
                                      ORDER BY v.version DESC
                                      LIMIT @count) c) n
                      WHERE coalesce(n.bytes_before, 0) <= @max_bytes::bigint)
 ORDER BY b.version DESC
 LIMIT @count;

-- name: ListPointerChanges :many
SELECT m.* FROM bot_pointer_moves m
 WHERE m.workspace_id = @workspace_id AND m.bot_id = @bot_id
   AND EXISTS (SELECT FROM bots d WHERE d.workspace_id = @workspace_id AND d.id = @bot_id AND d.deleted_at IS NULL)
   AND (sqlc.narg('before')::integer IS NULL OR m.number < sqlc.narg('before')::integer)
 ORDER BY m.number DESC
 LIMIT @count;

-- name: ListEndpointsOfBot :many
-- Some of the webhook endpoints whose messages the bot answers.
SELECT id FROM app.bot_endpoints WHERE workspace_id = @workspace_id AND bot_id = @bot_id ORDER BY id LIMIT @count;

-- name: DeleteBot :one
-- The name that is left is none of anybody's. The texts of its versions are erased by a function, which alone has the right to.
WITH deleted AS (
    UPDATE bots SET name = '-', status = 'archived', deleted_at = now(), threads_deleted_at = CASE WHEN @with_threads::boolean THEN now() END
     WHERE workspace_id = @workspace_id AND id = @id
 RETURNING id
)
SELECT app.erase_bot(deleted.id)::text AS erased FROM deleted;

-- name: BotThreadsErased :exec
UPDATE bots SET threads_deleted_at = NULL WHERE workspace_id = @workspace_id AND id = @id;

-- name: LocateBotsWithThreads :many
-- Deleted bots of all workspaces whose threads wait for a job that is not there.
SELECT workspace_id::uuid AS workspace_id, bot_id::uuid AS bot_id FROM app.locate_bots_with_threads(@older_seconds::double precision, @max_rows::integer);
