-- name: CreateSession :exec
INSERT INTO sessions (workspace_id, id, user_id, generation, rotated_at, kid, idle_expires_at, expires_at, created_at, ip, user_agent,
                      workspace_token_generation, authenticated_at, amr)
VALUES (@workspace_id, @id, @user_id, @generation, @rotated_at, @kid, @idle_expires_at, @expires_at, @created_at, @ip, @user_agent,
        @workspace_token_generation, @authenticated_at, @amr::text[]);

-- name: FindSession :one
SELECT workspace_id::uuid AS workspace_id, user_id::uuid AS user_id FROM app.find_session(@id::uuid);

-- name: LockSession :one
SELECT * FROM sessions WHERE workspace_id = @workspace_id AND id = @id FOR UPDATE;

-- name: SaveSession :exec
UPDATE sessions
   SET generation = @generation, rotated_at = @rotated_at, retirements = @retirements::timestamptz[], kid = @kid, idle_expires_at = @idle_expires_at, revoked_at = @revoked_at,
       workspace_token_generation = @workspace_token_generation, authenticated_at = @authenticated_at, amr = @amr::text[]
 WHERE workspace_id = @workspace_id AND id = @id;

-- name: EndOtherSessions :one
SELECT app.end_user_sessions(@keep::uuid)::integer;

-- name: TrimSessions :exec
-- Ends the oldest of a user's sessions in a workspace beyond so many that are alive. One that is being refreshed is left.
UPDATE sessions old SET revoked_at = now()
 WHERE old.workspace_id = @workspace_id
   AND old.id IN (SELECT s.id FROM sessions s
               WHERE s.workspace_id = @workspace_id AND s.user_id = @user_id
                 AND s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now()
               ORDER BY s.created_at DESC, s.id DESC OFFSET @keep::integer FOR UPDATE SKIP LOCKED);

-- name: ListOwnSessions :many
-- Of all workspaces and of none. The workspace is all zeros where the session is in none, revoked_at is 1970 where nobody has
-- ended it, because sqlc reads a column of a function as NOT NULL.
SELECT coalesce(workspace_id, '00000000-0000-0000-0000-000000000000')::uuid AS workspace_id, id::uuid AS id, rotated_at::timestamptz AS rotated_at,
       idle_expires_at::timestamptz AS idle_expires_at, coalesce(revoked_at, 'epoch')::timestamptz AS revoked_at,
       created_at::timestamptz AS created_at, coalesce(host(ip), '')::text AS ip, user_agent::text AS user_agent,
       authenticated_at::timestamptz AS authenticated_at, amr::text[] AS amr
  FROM app.own_authenticated_sessions(sqlc.narg('before_at')::timestamptz, sqlc.narg('before_id')::uuid, @count::integer, @also_ended::boolean)
 ORDER BY created_at DESC, id DESC
 LIMIT @count::integer;

-- name: EndOwnSession :one
SELECT app.end_own_session(@id::uuid)::boolean;

-- name: ExpireSessions :one
-- A cross-tenant function: it expires sessions of all workspaces, and those without one.
SELECT app.expire_sessions(@most::integer)::integer;
