-- name: CreateWorkspace :exec
INSERT INTO workspaces (id, name, created_at) VALUES (@id, @name, @created_at);

-- name: CreateUser :one
-- Returns a row so that it runs at once and its adapter sees whether the address is taken.
INSERT INTO users (id, email, password_hash, operation_id, created_at, shares_address)
VALUES (@id, @email, @password_hash, @operation_id, @created_at, @shares_address)
RETURNING id;

-- name: CreateMember :exec
INSERT INTO workspace_members (workspace_id, user_id, role, created_at)
VALUES (@workspace_id, @user_id, @role, @created_at);

-- name: FindLogins :many
-- The one that has proved the address first, then those that have not, up to a number. The workspace is all zeros where the user
-- is in none, or not in the one that is wanted.
SELECT user_id::uuid AS user_id, password_hash::text AS password_hash, operation_id::uuid AS operation_id, verified::boolean AS verified,
       coalesce(workspace_id, '00000000-0000-0000-0000-000000000000')::uuid AS workspace_id
  FROM app.find_logins(@addresses::text[], sqlc.narg('wanted')::uuid, @max_unverified::integer);

-- name: FindRegistration :one
-- The account that a call has registered. The workspace is all zeros where the user is in none.
SELECT user_id::uuid AS user_id, password_hash::text AS password_hash, verified::boolean AS verified,
       coalesce(workspace_id, '00000000-0000-0000-0000-000000000000')::uuid AS workspace_id
  FROM app.find_registration(@address::text, @operation::uuid);

-- name: GetProfile :one
SELECT u.id, u.email, u.verified_at, u.verified_by_link, (u.password_hash <> '')::boolean AS has_password, u.created_at, w.id AS workspace_id, w.name AS workspace_name, m.role,
       coalesce((SELECT jsonb_agg(jsonb_build_object('workspace_id', a.workspace_id, 'name', a.name, 'role', a.role, 'deleted_at', a.deleted_at))
          FROM app.memberships(NULL, NULL, 100) a), '[]')::jsonb AS memberships
  FROM users u
  JOIN workspace_members m ON m.user_id = u.id
  JOIN workspaces w ON w.id = m.workspace_id
 WHERE m.workspace_id = @workspace_id AND u.id = @user_id;

-- name: GetAccountProfile :one
-- The user of a session in no workspace.
SELECT u.id, u.email, u.verified_at, u.verified_by_link, (u.password_hash <> '')::boolean AS has_password, u.created_at,
       coalesce((SELECT jsonb_agg(jsonb_build_object('workspace_id', a.workspace_id, 'name', a.name, 'role', a.role, 'deleted_at', a.deleted_at))
          FROM app.memberships(NULL, NULL, 100) a), '[]')::jsonb AS memberships
  FROM users u
 WHERE u.id = @user_id;

-- name: LoginStanding :one
-- Whether the user has logged in from the network, and for how many seconds each counter, and the account for all unknown
-- networks, is blocked.
SELECT known::boolean AS known, waits::double precision[] AS waits, account_wait::double precision AS account_wait,
       at::timestamptz AS at
  FROM app.login_standing(@user_id::uuid, @network::bytea, @counters::bytea[], @account::bytea);

-- name: KnownToNetwork :many
SELECT app.known_to_network(@people::uuid[], @network::bytea)::uuid;

-- name: FailLogin :one
-- Counts a failure; answers for how many seconds the counter was blocked meanwhile, 0 for counted.
SELECT app.fail_login(@counter::bytea, @account::bytea, @begun::timestamptz)::double precision;

-- name: PassLogin :one
-- Forgets failures and remembers the network; answers as FailLogin.
SELECT app.pass_login(@counter::bytea, @account::bytea, @network::bytea, @begun::timestamptz)::double precision;

-- name: RecentNetworks :many
-- Networks that somebody has logged in from since a time, the latest first.
SELECT network::bytea AS network, used_at::timestamptz AS used_at FROM app.recent_networks(@after::timestamptz, @most::integer);

-- name: GetAccount :one
SELECT u.email, u.password_hash, coalesce(w.name, '')::text AS workspace_name
  FROM users u
  LEFT JOIN workspaces w ON w.id = @workspace_id
 WHERE u.id = @id;

-- name: ReplacePasswordHash :one
-- Compare and set: PY404 if the password was changed meanwhile; a row, so that the adapter sees it at once.
-- It waits for who disables the user, and then says so.
WITH changed AS (
    UPDATE users SET password_hash = @new_hash WHERE id = @id AND password_hash = @old_hash RETURNING disabled_at
)
SELECT app.require(EXISTS (SELECT 1 FROM changed), 'password') AS found,
       EXISTS (SELECT 1 FROM changed WHERE disabled_at IS NOT NULL)::boolean AS disabled;

-- name: ForgetLoginAttempts :exec
SELECT app.forget_login_attempts();
