-- The bots of a workspace as callers of compatible APIs name them.

-- name: ListBotNames :many
SELECT b.bot_id, b.name, b.created_at FROM app.bot_names b
 WHERE b.workspace_id = @workspace_id
 ORDER BY b.created_at DESC, b.bot_id DESC
 LIMIT @max_rows;

-- name: FindBotsByName :many
-- Two at the most: a name is not unique.
SELECT b.bot_id, b.name, b.created_at FROM app.bot_names b
 WHERE b.workspace_id = @workspace_id AND b.name = @name
 ORDER BY b.created_at DESC, b.bot_id DESC
 LIMIT 2;

-- name: FindVersionToTry :one
-- No row: there is no such bot.
SELECT (b.status = 'archived')::boolean AS archived,
       EXISTS (SELECT FROM app.versions v WHERE v.workspace_id = @workspace_id AND v.bot_id = @bot_id AND v.version = @version::integer)::boolean AS found
  FROM app.live_versions b WHERE b.workspace_id = @workspace_id AND b.bot_id = @bot_id AND b.deleted_at IS NULL;

-- name: FindBotByID :one
-- With a version, only where the bot has it, or for a caller that may ask no other where it is the published one.
SELECT b.bot_id, b.name, b.created_at FROM app.bot_names b
 WHERE b.workspace_id = @workspace_id AND b.bot_id = @bot_id
   AND (sqlc.narg('version')::integer IS NULL
        OR EXISTS (SELECT FROM app.versions v WHERE v.workspace_id = @workspace_id AND v.bot_id = @bot_id AND v.version = sqlc.narg('version')::integer)
           AND NOT @published_only::boolean
        OR EXISTS (SELECT FROM app.live_versions l WHERE l.workspace_id = @workspace_id AND l.bot_id = @bot_id AND l.version = sqlc.narg('version')::integer));
