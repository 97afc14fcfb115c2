-- name: ReplaceInvitation :exec
-- An address has one open invitation at a time: the newest.
UPDATE invitations SET revoked_at = @created_at
 WHERE workspace_id = @workspace_id AND email = @email AND accepted_at IS NULL AND revoked_at IS NULL;

-- name: CreateInvitation :exec
INSERT INTO invitations (workspace_id, id, email, role, token_hash, invited_by, created_at, expires_at, announced)
VALUES (@workspace_id, @id, @email, @role, @token_hash, @invited_by, @created_at, @expires_at, @announced);

-- name: CountMail :one
-- The place of the scope that has had as many as it may, from 1; 0: counted.
SELECT app.count_mail(@scopes::bytea[], @limits::bigint[])::integer;

-- name: AnnounceInvitation :one
SELECT app.announce_invitation(@address::text, @mailbox::bytea)::boolean;

-- name: ForgetMailCounts :exec
SELECT app.forget_mail_counts();

-- name: HasMember :one
SELECT app.has_member(@email::text)::boolean;

-- name: ListInvitations :many
SELECT id, email, role, invited_by, created_at, expires_at, accepted_at, revoked_at
  FROM invitations
 WHERE workspace_id = @workspace_id AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before')::uuid)
 ORDER BY id DESC
 LIMIT @count;

-- name: RevokeInvitation :one
UPDATE invitations SET revoked_at = now()
 WHERE workspace_id = @workspace_id AND id = @id AND accepted_at IS NULL AND revoked_at IS NULL
RETURNING id;

-- name: FindInvitation :one
-- For whoever brings a token. Ids of nobody are all zeros, as a function's column cannot be NULL here.
SELECT workspace_id::uuid AS workspace_id, id::uuid AS id, email::text AS email, role::text AS role,
       expires_at::timestamptz AS expires_at, accepted::boolean AS accepted,
       coalesce(operation_id, '00000000-0000-0000-0000-000000000000')::uuid AS operation_id,
       coalesce(user_id, '00000000-0000-0000-0000-000000000000')::uuid AS user_id, coalesce(password_hash, '')::text AS password_hash
  FROM app.read_invitation(@print::bytea);

-- name: AcceptInvitation :one
-- Compare and set: of two who bring the same token one is late.
UPDATE invitations SET accepted_at = @accepted_at, accepted_by = @accepted_by, operation_id = @operation_id
 WHERE workspace_id = @workspace_id AND id = @id AND accepted_at IS NULL AND revoked_at IS NULL
RETURNING id;

-- name: JoinWorkspace :one
-- Returns a row so that it runs at once and its adapter sees whether the user is a member already.
INSERT INTO workspace_members (workspace_id, user_id, role, created_at)
VALUES (@workspace_id, @user_id, @role, @created_at)
RETURNING user_id;
