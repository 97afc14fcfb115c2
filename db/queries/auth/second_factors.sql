-- name: LockAccount :one
-- What opening a session and changing second factors have to know of the user, who is locked: neither misses the other.
SELECT u.email, u.password_hash, (u.disabled_at IS NOT NULL)::boolean AS disabled,
       EXISTS (SELECT FROM account_totp f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL)::boolean AS second_factor
  FROM users u WHERE u.id = @id
   FOR NO KEY UPDATE OF u;

-- name: GetTOTP :one
SELECT id, sealed, last_step, created_at, confirmed_at FROM account_totp WHERE user_id = @user_id;

-- name: ReplaceTOTP :one
-- Only one that is no factor yet is replaced; no row where there is a factor.
INSERT INTO account_totp (user_id, id, sealed, created_at) VALUES (@user_id, @id, @sealed, @created_at)
ON CONFLICT (user_id) DO UPDATE SET id = excluded.id, sealed = excluded.sealed, last_step = 0, wrong_codes = 0, created_at = excluded.created_at
 WHERE account_totp.confirmed_at IS NULL
RETURNING id;

-- name: ConfirmTOTP :one
UPDATE account_totp SET confirmed_at = @at, last_step = @step, wrong_codes = 0
 WHERE user_id = @user_id AND id = @id AND confirmed_at IS NULL
RETURNING id;

-- name: TryTOTP :one
-- Counts a code before it is compared, so that codes that are tried at the same time count too.
UPDATE account_totp SET wrong_codes = wrong_codes + 1
 WHERE user_id = @user_id AND confirmed_at IS NOT NULL
RETURNING id, sealed, last_step, wrong_codes;

-- name: AcceptStep :one
-- Once: of two calls with a code of the same step, also in two processes, one gets a row.
UPDATE account_totp SET last_step = @step, wrong_codes = 0
 WHERE user_id = @user_id AND id = @id AND confirmed_at IS NOT NULL AND last_step < @step
RETURNING id;

-- name: RemoveTOTP :one
DELETE FROM account_totp WHERE user_id = @user_id RETURNING (confirmed_at IS NOT NULL)::boolean AS was_factor;

-- name: ForgiveCodes :exec
UPDATE account_totp SET wrong_codes = 0 WHERE user_id = @user_id;

-- name: RemoveRecoveryCodes :exec
DELETE FROM account_recovery_codes WHERE user_id = @user_id;

-- name: AddRecoveryCodes :exec
INSERT INTO account_recovery_codes (user_id, code_hash, created_at)
SELECT @user_id, unnest(@hashes::bytea[]), @created_at;

-- name: HasRecoveryCode :one
SELECT EXISTS (SELECT FROM account_recovery_codes WHERE user_id = @user_id AND code_hash = @code_hash)::boolean;

-- name: UseRecoveryCode :one
-- Once: of two calls with the same code one gets a row.
DELETE FROM account_recovery_codes WHERE user_id = @user_id AND code_hash = @code_hash RETURNING user_id;

-- name: CountRecoveryCodes :one
SELECT count(*)::integer FROM account_recovery_codes WHERE user_id = @user_id;

-- name: AddTicket :exec
INSERT INTO account_tickets (user_id, token_hash, wanted_workspace_id, methods, password_print, created_at, expires_at)
VALUES (@user_id, @token_hash, sqlc.narg('wanted_workspace_id'), @methods::text[], @password_print, @created_at, @expires_at);

-- name: TrimTickets :exec
-- Keeps so many tickets of the user, the newest.
DELETE FROM account_tickets t
 WHERE t.user_id = @user_id
   AND t.token_hash NOT IN (SELECT n.token_hash FROM account_tickets n WHERE n.user_id = @user_id ORDER BY n.created_at DESC, n.token_hash LIMIT @keep);

-- name: GetTicket :one
SELECT coalesce(wanted_workspace_id, '00000000-0000-0000-0000-000000000000')::uuid AS workspace_id, methods, password_print, created_at, expires_at
  FROM account_tickets
 WHERE user_id = @user_id AND token_hash = @token_hash AND expires_at > @at AND tries < @tries::integer;

-- name: TryTicket :one
-- Counts a try before the code is compared.
UPDATE account_tickets SET tries = tries + 1
 WHERE user_id = @user_id AND token_hash = @token_hash AND expires_at > @at AND tries < @tries::integer
RETURNING user_id;

-- name: UseTicket :one
-- Once: of two calls with the same ticket one gets a row.
DELETE FROM account_tickets WHERE user_id = @user_id AND token_hash = @token_hash AND expires_at > @at RETURNING user_id;

-- name: RemoveTickets :exec
DELETE FROM account_tickets WHERE user_id = @user_id;

-- name: ExpireTickets :one
SELECT app.expire_account_tickets(@most::integer)::integer;

-- name: ResealTOTP :exec
UPDATE account_totp SET sealed = @sealed WHERE user_id = @user_id AND id = @id;

-- name: UsersToReseal :many
SELECT app.users_to_reseal(@mark::bytea, @after::uuid, @most::integer)::uuid;
