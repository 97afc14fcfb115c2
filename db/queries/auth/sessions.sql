-- name: CreateSession :exec
INSERT INTO sessions (workspace_id, id, user_id, generation, rotated_at, kid, idle_expires_at, expires_at, created_at, ip, user_agent,
                      workspace_token_generation)
VALUES (@workspace_id, @id, @user_id, @generation, @rotated_at, @kid, @idle_expires_at, @expires_at, @created_at, @ip, @user_agent,
        @workspace_token_generation);

-- name: FindSession :one
SELECT workspace_id::uuid AS workspace_id, user_id::uuid AS user_id FROM app.find_session(@id::uuid);

-- name: LockSession :one
SELECT * FROM sessions WHERE workspace_id = @workspace_id AND id = @id FOR UPDATE;

-- name: SaveSession :exec
UPDATE sessions
   SET generation = @generation, rotated_at = @rotated_at, retirements = @retirements::timestamptz[], kid = @kid, idle_expires_at = @idle_expires_at, revoked_at = @revoked_at,
       workspace_token_generation = @workspace_token_generation
 WHERE workspace_id = @workspace_id AND id = @id;

-- name: EndOtherSessions :one
SELECT app.end_user_sessions(@keep::uuid)::integer;

-- name: ListSessions :many
SELECT * FROM sessions
 WHERE workspace_id = @workspace_id AND user_id = @user_id
   AND revoked_at IS NULL AND idle_expires_at > now() AND expires_at > now()
   AND (sqlc.narg('before_at')::timestamptz IS NULL
        OR (created_at, id) < (sqlc.narg('before_at')::timestamptz, sqlc.narg('before_id')::uuid))
 ORDER BY created_at DESC, id DESC
 LIMIT @count;

-- name: ExpireSessions :one
-- Across the wall: sessions of all workspaces, and those without one.
SELECT app.expire_sessions(@most::integer)::integer;
