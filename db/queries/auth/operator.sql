-- name: AllWorkspaces :many
SELECT app.all_workspaces(sqlc.narg('after')::uuid, @most::integer)::uuid;

-- name: AllUsers :many
SELECT app.all_users(sqlc.narg('after')::uuid, @most::integer)::uuid;

-- name: OwnWorkspaces :many
SELECT app.own_workspaces()::uuid;

-- name: DescribeWorkspace :one
SELECT w.id, w.name, w.created_at, w.deleted_at,
       (SELECT count(*) FROM workspace_members m WHERE m.workspace_id = @workspace_id) AS members
  FROM workspaces w
 WHERE w.id = @workspace_id;

-- name: DescribeUser :one
SELECT u.id, u.email, u.created_at, u.disabled_at, u.verified_at, u.verified_by_link FROM users u WHERE u.id = @id;

-- name: RoleIn :one
SELECT role FROM workspace_members WHERE workspace_id = @workspace_id AND user_id = @user_id;

-- name: SetPasswordHash :one
UPDATE users SET password_hash = @password_hash WHERE id = @id RETURNING id;

-- name: DisableUser :one
UPDATE users SET disabled_at = coalesce(disabled_at, now()) WHERE id = @id RETURNING id;

-- name: EnableUser :one
UPDATE users SET disabled_at = NULL WHERE id = @id RETURNING id;

-- name: RestoreAuthority :one
SELECT api_keys::integer AS api_keys, subscriptions::integer AS subscriptions
  FROM app.restore_authority(@workspace_id::uuid, @member::uuid, @since::timestamptz);

-- name: EndRestoreTime :one
-- Has a deleted workspace count as one whose time to be restored is over; no row where it is not deleted.
UPDATE workspaces SET deleted_at = least(deleted_at, now() - interval '30 days 1 second')
 WHERE id = @workspace_id AND deleted_at IS NOT NULL
RETURNING id;
