-- name: ListWorkspaces :many
-- Those of the caller, by a cross-tenant function. deleted_at is 1970 where a workspace is not deleted, because sqlc reads a
-- column of a function as NOT NULL.
SELECT workspace_id::uuid AS id, name::text AS name, role::text AS role, created_at::timestamptz AS created_at,
       joined_at::timestamptz AS joined_at, coalesce(deleted_at, 'epoch')::timestamptz AS deleted_at
  FROM app.memberships(sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid, @count::integer);

-- name: GetWorkspace :one
SELECT w.id, w.name, m.role, w.created_at, m.created_at AS joined_at, w.deleted_at
  FROM workspaces w
  JOIN workspace_members m ON m.workspace_id = w.id
 WHERE w.id = @workspace_id AND m.user_id = @user_id;

-- name: GetWorkspaceName :one
SELECT name FROM workspaces WHERE id = @workspace_id;

-- name: RenameWorkspace :exec
UPDATE workspaces SET name = @name WHERE id = @workspace_id;

-- name: GetFactorDemand :one
SELECT second_factor FROM workspaces WHERE id = @workspace_id;

-- name: SetFactorDemand :exec
UPDATE workspaces SET second_factor = @second_factor WHERE id = @workspace_id;

-- name: ListMembers :many
SELECT user_id::uuid AS user_id, email::text AS email, role::text AS role, joined_at::timestamptz AS joined_at
  FROM app.members(sqlc.narg('one')::uuid, sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid, @count::integer);

-- name: LockMembers :many
-- The owners and these people, whom nobody else changes until the transaction ends. One who waited here sees what the
-- other has made of them.
SELECT user_id, role FROM workspace_members
 WHERE workspace_id = @workspace_id AND (role = 'owner' OR user_id = ANY (@people::uuid[]))
 ORDER BY user_id
   FOR UPDATE;

-- name: ChangeRole :exec
UPDATE workspace_members SET role = @role WHERE workspace_id = @workspace_id AND user_id = @user_id;

-- name: RemoveMember :exec
-- Its sessions in the workspace go with it.
DELETE FROM workspace_members WHERE workspace_id = @workspace_id AND user_id = @user_id;

-- name: DeleteWorkspace :exec
UPDATE workspaces SET deleted_at = coalesce(deleted_at, @deleted_at) WHERE id = @workspace_id;

-- name: RestoreWorkspace :exec
-- Later than this some of it may have been purged.
UPDATE workspaces SET deleted_at = NULL WHERE id = @workspace_id AND deleted_at >= now() - interval '30 days';

-- name: WorkspacesToPurge :many
SELECT app.workspaces_to_purge(@most::integer)::uuid;

-- name: PurgeSome :one
SELECT state::text AS state, removed::bigint AS removed FROM app.purge_some(@workspace_id::uuid, @seconds::double precision);
