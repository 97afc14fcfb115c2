-- name: FindIdentity :one
SELECT user_id::uuid AS user_id FROM app.find_identity(@issuer::text, @subject::text);

-- name: SaveIdentity :exec
-- A subject of an issuer is of one account: that of another account raises here, by its policy.
INSERT INTO account_identities (user_id, id, provider, issuer, subject, email, created_at, used_at)
VALUES (@user_id, @id, @provider, @issuer, @subject, @email, @used_at, @used_at)
ON CONFLICT (issuer, subject) DO UPDATE
   SET provider = excluded.provider, email = excluded.email, used_at = excluded.used_at;

-- name: ListIdentities :many
SELECT id, provider, issuer, subject, email, created_at, used_at
  FROM account_identities
 WHERE user_id = @user_id
 ORDER BY created_at, id;

-- name: RemoveIdentity :exec
DELETE FROM account_identities WHERE user_id = @user_id AND id = @id;

-- name: LockUser :one
-- Nobody disables the user, sets a password or changes how it signs in until the transaction ends.
SELECT id, email, created_at, disabled_at, verified_at, verified_by_link, (password_hash <> '')::boolean AS has_password
  FROM users
 WHERE id = @id
   FOR NO KEY UPDATE;

-- name: ClaimSignIn :one
SELECT app.claim_sign_in(@state_hash::bytea, @expires_at::timestamptz)::boolean;

-- name: FinishSignIn :exec
SELECT app.finish_sign_in(@state_hash::bytea, @code_hash::bytea, @browser_hash::bytea, @challenge::text, @claims::jsonb, @ends_at::timestamptz);

-- name: FindSignIn :one
SELECT browser_hash::bytea AS browser_hash, challenge::text AS challenge, claims::jsonb AS claims, code_ends_at::timestamptz AS code_ends_at
  FROM app.find_sign_in(@code_hash::bytea);

-- name: UseSignIn :one
SELECT app.use_sign_in(@code_hash::bytea)::boolean;

-- name: ExpireSignIns :one
SELECT app.expire_sign_ins(@most::integer)::integer;

-- name: OpenWorkspace :one
-- The workspace of the transaction, unless it is deleted or there is none.
SELECT id FROM workspaces WHERE id = @workspace_id AND deleted_at IS NULL;
