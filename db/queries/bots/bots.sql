-- name: CreateBot :exec
INSERT INTO bots (workspace_id, id, name, status, current_version, created_by, created_at, updated_at)
VALUES (@workspace_id, @id, @name, @status, @current_version, @created_by, @created_at, @updated_at);

-- name: CreateVersion :exec
INSERT INTO bot_versions (workspace_id, bot_id, version, instruction, settings, created_by, created_at)
VALUES (@workspace_id, @bot_id, @version, @instruction, @settings, @created_by, @created_at);

-- name: SaveBot :exec
UPDATE bots SET name = @name, status = @status, current_version = @current_version, updated_at = @updated_at
 WHERE workspace_id = @workspace_id AND id = @id;

-- name: GetBot :one
SELECT b.*, v.instruction, v.settings
  FROM bots b
  JOIN bot_versions v ON v.workspace_id = b.workspace_id AND v.bot_id = b.id AND v.version = b.current_version
 WHERE b.workspace_id = @workspace_id AND b.id = @id;

-- name: LockBot :exec
-- Waits for whoever changes the bot. What it has become is read by a statement of its own: after a wait this one would
-- join the new row of the bot with the versions of before, find none, and see no bot.
SELECT id FROM bots WHERE workspace_id = @workspace_id AND id = @id FOR UPDATE;

-- name: BotExists :one
SELECT EXISTS (SELECT 1 FROM bots WHERE workspace_id = @workspace_id AND id = @id);

-- name: ListBots :many
SELECT * FROM bots
 WHERE workspace_id = @workspace_id
   AND (sqlc.narg('before_at')::timestamptz IS NULL
        OR (created_at, id) < (sqlc.narg('before_at')::timestamptz, sqlc.narg('before_id')::uuid))
 ORDER BY created_at DESC, id DESC
 LIMIT @count;

-- name: GetVersion :one
SELECT * FROM bot_versions WHERE workspace_id = @workspace_id AND bot_id = @bot_id AND version = @version;

-- name: ListVersions :many
SELECT * FROM bot_versions
 WHERE workspace_id = @workspace_id AND bot_id = @bot_id
   AND (sqlc.narg('before')::integer IS NULL OR version < sqlc.narg('before')::integer)
 ORDER BY version DESC
 LIMIT @count;
