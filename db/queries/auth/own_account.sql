-- name: VisitWorkspace :exec
-- The transaction works as the tenant of another workspace from now on, for a caller whose right to it is settled.
SELECT app.set_tenant(@workspace_id::text, @user_id::text, coalesce(current_setting('app.role', true), ''), coalesce(current_setting('app.bots', true), ''));

-- name: DropAccountLinks :exec
-- Before the user is locked: who uses a link locks it before the user.
DELETE FROM account_links WHERE user_id = @user_id;

-- name: LockLeavingUser :one
-- Keeps everything away that would give the user a session, a membership or another password until the transaction ends.
SELECT password_hash FROM users WHERE id = @id FOR UPDATE;

-- name: DropAccountSessions :exec
DELETE FROM account_sessions WHERE user_id = @user_id;

-- name: ForgetOwnAddress :exec
SELECT app.forget_own_address();

-- name: DeleteUser :exec
DELETE FROM users WHERE id = @id;

-- name: ListOwnInvitations :many
-- Times are 1970 where it did not happen, because sqlc reads a column of a function as NOT NULL.
SELECT workspace_id::uuid AS workspace_id, workspace_name::text AS workspace_name, id::uuid AS id, email::text AS email, role::text AS role,
       created_at::timestamptz AS created_at, expires_at::timestamptz AS expires_at,
       coalesce(accepted_at, 'epoch')::timestamptz AS accepted_at, coalesce(revoked_at, 'epoch')::timestamptz AS revoked_at
  FROM app.own_invitations(@address::text, @max_rows::integer)
 ORDER BY created_at DESC, id DESC;

-- name: ListOwnActions :many
-- Ids are all zeros and texts empty where there is none, because sqlc reads a column of a function as NOT NULL.
SELECT coalesce(workspace_id, '00000000-0000-0000-0000-000000000000')::uuid AS workspace_id, id::uuid AS id, created_at::timestamptz AS created_at,
       action::text AS action, reason::text AS reason, coalesce(resource_type, '')::text AS resource_type,
       coalesce(resource_id, '00000000-0000-0000-0000-000000000000')::uuid AS resource_id,
       coalesce(operation_id, '00000000-0000-0000-0000-000000000000')::uuid AS operation_id, trace_id::text AS trace_id,
       changes::jsonb AS changes, coalesce(host(ip), '')::text AS ip, user_agent::text AS user_agent
  FROM app.own_actions(sqlc.narg('before_at')::timestamptz, sqlc.narg('before_id')::uuid, @count::integer)
 ORDER BY created_at DESC, id DESC
 LIMIT @count::integer;
