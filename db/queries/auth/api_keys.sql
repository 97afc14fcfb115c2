-- name: CreateKey :exec
-- Raises PY403 or PYROL where its creator was removed or demoted meanwhile.
INSERT INTO api_keys (workspace_id, id, name, hash, hint, role, bot_ids, created_by, created_at, expires_at, allowed_addresses, limits, keeps_calls)
SELECT @workspace_id, @id, @name, @hash, @hint, @role, sqlc.narg('bot_ids')::uuid[], @created_by, @created_at, sqlc.narg('expires_at'), sqlc.narg('allowed_addresses')::text[], sqlc.narg('limits')::jsonb, @keeps_calls
 WHERE app.lock_authority(@workspace_id, @created_by, @roles::text[]);

-- name: CountBots :one
-- How many of these bots there are.
SELECT count(*) FROM app.live_versions WHERE workspace_id = @workspace_id AND bot_id = ANY (@bots::uuid[]) AND deleted_at IS NULL;

-- name: ListKeys :many
SELECT id, name, hint, role, bot_ids, created_by, created_at, expires_at, last_used_at, revoked_at,
       coalesce(responsible_id, created_by)::uuid AS responsible_id, suspended_at, allowed_addresses, limits, keeps_calls
  FROM api_keys
 WHERE workspace_id = @workspace_id AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before')::uuid)
 ORDER BY id DESC
 LIMIT @count;

-- name: RevokeKey :one
UPDATE api_keys SET revoked_at = now()
 WHERE workspace_id = @workspace_id AND id = @id AND revoked_at IS NULL
RETURNING name;

-- name: EndKeyAuthority :one
-- How many subscriptions of a key it has held.
SELECT app.end_key_authority(@workspace_id::uuid, @id::uuid)::integer;

-- name: AdoptKey :one
UPDATE api_keys SET responsible_id = @member::uuid, suspended_at = NULL
 WHERE workspace_id = @workspace_id AND id = @id AND revoked_at IS NULL AND app.lock_authority(@workspace_id, @member::uuid, @roles::text[])
RETURNING id, name, hint, role, bot_ids, created_by, created_at, expires_at, last_used_at, revoked_at,
          coalesce(responsible_id, created_by)::uuid AS responsible_id, suspended_at, allowed_addresses, limits, keeps_calls;

-- name: GetKeyToChange :one
-- Nobody else changes it until the transaction ends. Raises PY403 or PYROL where the member was removed or demoted meanwhile.
SELECT id, name, hint, role, bot_ids, created_by, created_at, expires_at, last_used_at, revoked_at,
       coalesce(responsible_id, created_by)::uuid AS responsible_id, suspended_at, allowed_addresses, limits, keeps_calls
  FROM api_keys
 WHERE workspace_id = @workspace_id AND id = @id AND revoked_at IS NULL AND app.lock_authority(@workspace_id, @member::uuid, @roles::text[])
   FOR UPDATE;

-- name: ChangeKey :exec
UPDATE api_keys
   SET name = @name, allowed_addresses = sqlc.narg('allowed_addresses')::text[], limits = sqlc.narg('limits')::jsonb, keeps_calls = @keeps_calls
 WHERE workspace_id = @workspace_id AND id = @id;

-- name: NotifyOfKey :exec
-- For the processes that remember it.
SELECT pg_notify('parley_keys', @id::text);

-- name: HasKey :one
-- Whether there is or was a key.
SELECT EXISTS (SELECT FROM api_keys WHERE workspace_id = @workspace_id AND id = @id);

-- name: FindKey :one
-- For a call that brings one, and knows no workspace yet.
SELECT workspace_id::uuid AS workspace_id, id::uuid AS id FROM app.find_api_key(@print::bytea);

-- name: NoteKeyUse :exec
-- Once a minute at the most, however many processes saw it.
UPDATE api_keys SET last_used_at = @used_at
 WHERE workspace_id = @workspace_id AND id = @id AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > @used_at)
   AND (last_used_at IS NULL OR last_used_at < @minute_before);

-- name: ReadKey :one
-- NotifyOfKey says when it changes.
SELECT role, allowed_addresses, limits, keeps_calls FROM api_keys WHERE workspace_id = @workspace_id AND id = @id;

-- name: CountRequestOfKey :exec
-- Raises PYRAT where a limit of the key allows no more requests. Of a key that is revoked nothing is counted: the call is refused.
SELECT app.count_for_caller(k.workspace_id, k.id, 'requests', @limits::jsonb, @moment)
  FROM api_keys k
 WHERE k.workspace_id = @workspace_id AND k.id = @id AND k.revoked_at IS NULL;

-- name: ReadKeyUsage :many
-- At least one row, where there is or was such a key.
SELECT k.limits, c.metric, c.period, c.began_at, c.used
  FROM api_keys k
  LEFT JOIN caller_counts c ON c.workspace_id = k.workspace_id AND c.caller_id = k.id
 WHERE k.workspace_id = @workspace_id AND k.id = @id;
