-- name: QueueAccountEmail :exec
SELECT app.queue_account_email(@id::uuid, @kind::text, sqlc.narg('user_id')::uuid, @address::text, @language::text, @trace_id::text, @facts::jsonb);

-- name: ClaimAccountEmails :many
SELECT id::uuid AS id, kind::text AS kind, coalesce(user_id, '00000000-0000-0000-0000-000000000000')::uuid AS user_id, address::text AS address,
       language::text AS language, trace_id::text AS trace_id, attempt::integer AS attempt, created_at::timestamptz AS created_at,
       facts::jsonb AS facts
  FROM app.take_account_emails(@max_rows::integer, @lease_seconds::double precision);

-- name: EndAccountEmail :exec
SELECT app.end_account_email(@id::uuid, @attempt::integer, sqlc.narg('again_seconds')::double precision);

-- name: ReplaceAccountLink :exec
INSERT INTO account_links (user_id, purpose, token_hash, code_hash, address, created_at, expires_at)
VALUES (@user_id, @purpose, @token_hash, sqlc.narg('code_hash'), @address, @created_at, @expires_at)
ON CONFLICT (user_id, purpose) DO UPDATE
   SET token_hash = excluded.token_hash, code_hash = excluded.code_hash, address = excluded.address, wrong_codes = 0, proved_at = NULL, with_account = false,
       created_at = excluded.created_at, expires_at = excluded.expires_at;

-- name: FindAccountLink :one
SELECT user_id::uuid AS user_id, address::text AS address, expires_at::timestamptz AS expires_at
  FROM app.find_account_link(@purpose::text, @token_hash::bytea);

-- name: UseAccountLink :one
-- Once: of two calls with the same link one finds it.
DELETE FROM account_links
 WHERE user_id = @user_id AND purpose = @purpose AND token_hash = @token_hash AND expires_at > @at
RETURNING address;

-- name: TryCode :one
-- Counts a try before the code is compared, so that tries at the same time count too.
UPDATE account_links SET wrong_codes = wrong_codes + 1
 WHERE user_id = @user_id AND purpose = @purpose AND expires_at > @at AND wrong_codes < @tries::integer AND code_hash IS NOT NULL
RETURNING token_hash, code_hash;

-- name: ExpireAccountLinks :one
SELECT app.expire_account_links(@most::integer)::integer;

-- name: YieldAddress :one
-- Takes an address from accounts that have not proved it; false where another account has.
SELECT app.yield_address(@addresses::text[])::boolean;

-- name: TakeAddress :one
-- As YieldAddress, and also from an account that a link alone has proved.
SELECT app.take_address(@addresses::text[])::boolean;

-- name: VerifyAddress :one
-- Only the address that was proved. A row, so that it runs at once and its adapter sees whether another account was quicker.
-- A proof by a link alone takes nothing from one that was made with the account.
UPDATE users SET verified_at = coalesce(verified_at, @at), shares_address = false,
       verified_by_link = @by_link::boolean AND (verified_at IS NULL OR verified_by_link)
 WHERE id = @id AND email = @email
RETURNING id;

-- name: LocateUnproved :many
-- The workspace is all zeros where the account is in none.
SELECT user_id::uuid AS user_id, coalesce(workspace_id, '00000000-0000-0000-0000-000000000000')::uuid AS workspace_id
  FROM app.locate_unproved(@older_seconds::double precision, @max_of_address::integer, @max_rows::integer);

-- name: RemoveUnproved :one
SELECT app.remove_unproved(@account::uuid)::boolean;

-- name: RenewAccountLink :one
-- Another token for a link that waits to be used.
UPDATE account_links SET token_hash = @token_hash
 WHERE user_id = @user_id AND purpose = @purpose AND address = @address AND expires_at > @at AND proved_at IS NULL
RETURNING expires_at;

-- name: LockAccountLinks :many
-- Valid links of some purposes, which nobody else uses until the transaction ends.
SELECT purpose, token_hash, address, expires_at, proved_at, with_account FROM account_links
 WHERE user_id = @user_id AND purpose = ANY (@purposes::text[]) AND expires_at > @at
 ORDER BY purpose
   FOR UPDATE;

-- name: ProveAccountLink :exec
UPDATE account_links SET proved_at = @at, with_account = @with_account WHERE user_id = @user_id AND purpose = @purpose;

-- name: RemoveAccountLinks :exec
DELETE FROM account_links WHERE user_id = @user_id AND purpose = ANY (@purposes::text[]);

-- name: ChangeAddress :one
-- Compare and set. A row, so that it runs at once and its adapter sees whether the address is taken.
UPDATE users SET email = @next_email, verified_at = @at, verified_by_link = @by_link, shares_address = false WHERE id = @id AND email = @email
RETURNING id;

-- name: BeginSetUp :one
SELECT app.begin_set_up()::boolean;
