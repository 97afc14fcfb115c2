-- name: CreateSession :exec
INSERT INTO sessions (workspace_id, id, user_id, generation, rotated_at, kid, idle_expires_at, expires_at, created_at, ip, user_agent)
VALUES (@workspace_id, @id, @user_id, @generation, @rotated_at, @kid, @idle_expires_at, @expires_at, @created_at, @ip, @user_agent);

-- name: FindSession :one
SELECT workspace_id::uuid AS workspace_id, user_id::uuid AS user_id FROM app.find_session(@id::uuid);

-- name: LockSession :one
SELECT * FROM sessions WHERE workspace_id = @workspace_id AND id = @id FOR UPDATE;

-- name: SaveSession :exec
UPDATE sessions
   SET generation = @generation, rotated_at = @rotated_at, retirements = @retirements::timestamptz[], kid = @kid, idle_expires_at = @idle_expires_at, revoked_at = @revoked_at
 WHERE workspace_id = @workspace_id AND id = @id;
