-- name: CreateAccountSession :exec
INSERT INTO account_sessions (user_id, id, generation, rotated_at, kid, idle_expires_at, expires_at, created_at, ip, user_agent, authenticated_at, amr)
VALUES (@user_id, @id, @generation, @rotated_at, @kid, @idle_expires_at, @expires_at, @created_at, @ip, @user_agent, @authenticated_at, @amr::text[]);

-- name: TrimAccountSessions :exec
-- Keeps so many of a user's sessions that are alive, the newest, and no others.
DELETE FROM account_sessions a
 WHERE a.user_id = @user_id
   AND a.id NOT IN (SELECT s.id FROM account_sessions s
                     WHERE s.user_id = @user_id AND s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now()
                     ORDER BY s.created_at DESC, s.id DESC LIMIT @keep);

-- name: LockAccountSession :one
SELECT * FROM account_sessions WHERE user_id = @user_id AND id = @id FOR UPDATE;

-- name: SaveAccountSession :exec
UPDATE account_sessions
   SET generation = @generation, rotated_at = @rotated_at, retirements = @retirements::timestamptz[], kid = @kid, idle_expires_at = @idle_expires_at, revoked_at = @revoked_at,
       authenticated_at = @authenticated_at, amr = @amr::text[]
 WHERE user_id = @user_id AND id = @id;

-- name: SettleSession :one
-- The workspace that the session is in now; all zeros: the user is in none.
SELECT coalesce(app.settle_session(@id::uuid), '00000000-0000-0000-0000-000000000000')::uuid AS workspace_id;
