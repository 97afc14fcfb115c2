-- name: PutAnonymousEndUser :exec
INSERT INTO end_users (workspace_id, id, name, metadata, turn_limits, created_at, last_token_at)
VALUES (@workspace_id, @id, coalesce(sqlc.narg('name')::text, ''), coalesce(sqlc.narg('metadata')::jsonb, '{}'), coalesce(sqlc.narg('turn_limits')::jsonb, '{}'), @now, @now);

-- name: RenewKnownEndUser :one
-- The end user with an external id, for another token. An API key that is limited to bots does not change what is said of an end user
-- of other bots.
UPDATE end_users e
   SET name = CASE WHEN app.describes_end_user(e.id) THEN coalesce(sqlc.narg('name')::text, e.name) ELSE e.name END,
       metadata = CASE WHEN app.describes_end_user(e.id) THEN coalesce(sqlc.narg('metadata')::jsonb, e.metadata) ELSE e.metadata END,
       turn_limits = CASE WHEN app.describes_end_user(e.id) THEN coalesce(sqlc.narg('turn_limits')::jsonb, e.turn_limits) ELSE e.turn_limits END,
       last_token_at = @now
 WHERE e.workspace_id = @workspace_id AND e.external_id = @external_id::text
RETURNING e.id, e.revoked_at, e.turn_limits;

-- name: PutEndUser :one
-- A new end user with an external id. Where another call has just made it, it is as after RenewKnownEndUser.
INSERT INTO end_users AS e (workspace_id, id, external_id, name, metadata, turn_limits, created_at, last_token_at)
VALUES (@workspace_id, @id, @external_id::text, coalesce(sqlc.narg('name')::text, ''), coalesce(sqlc.narg('metadata')::jsonb, '{}'),
        coalesce(sqlc.narg('turn_limits')::jsonb, '{}'), @now, @now)
ON CONFLICT (workspace_id, external_id) WHERE external_id IS NOT NULL DO UPDATE
   SET name = CASE WHEN app.describes_end_user(e.id) THEN coalesce(sqlc.narg('name')::text, e.name) ELSE e.name END,
       metadata = CASE WHEN app.describes_end_user(e.id) THEN coalesce(sqlc.narg('metadata')::jsonb, e.metadata) ELSE e.metadata END,
       turn_limits = CASE WHEN app.describes_end_user(e.id) THEN coalesce(sqlc.narg('turn_limits')::jsonb, e.turn_limits) ELSE e.turn_limits END,
       last_token_at = @now
RETURNING e.id, e.revoked_at, e.turn_limits;

-- name: NoteBotOfEndUser :exec
INSERT INTO end_user_bots (workspace_id, end_user_id, bot_id) VALUES (@workspace_id, @end_user_id, @bot_id) ON CONFLICT DO NOTHING;

-- name: RenewEndUser :one
-- An end user without an external id, for another token, as RenewKnownEndUser.
UPDATE end_users e
   SET name = CASE WHEN app.describes_end_user(e.id) THEN coalesce(sqlc.narg('name')::text, e.name) ELSE e.name END,
       metadata = CASE WHEN app.describes_end_user(e.id) THEN coalesce(sqlc.narg('metadata')::jsonb, e.metadata) ELSE e.metadata END,
       turn_limits = CASE WHEN app.describes_end_user(e.id) THEN coalesce(sqlc.narg('turn_limits')::jsonb, e.turn_limits) ELSE e.turn_limits END,
       last_token_at = @now
 WHERE e.workspace_id = @workspace_id AND e.id = @id AND e.external_id IS NULL
RETURNING e.id, e.revoked_at, e.turn_limits;

-- name: GetEndUser :one
SELECT id, external_id, name, metadata, created_at, last_token_at, revoked_at FROM end_users WHERE workspace_id = @workspace_id AND id = @id;

-- name: ListEndUsers :many
SELECT id, external_id, name, metadata, created_at, last_token_at, revoked_at
  FROM end_users
 WHERE workspace_id = @workspace_id AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before')::uuid)
 ORDER BY id DESC
 LIMIT @count;

-- name: ListEndUsersOfBot :many
SELECT e.id, e.external_id, e.name, e.metadata, e.created_at, e.last_token_at, e.revoked_at
  FROM end_user_bots b
  JOIN end_users e ON e.workspace_id = b.workspace_id AND e.id = b.end_user_id
 WHERE b.workspace_id = @workspace_id AND b.bot_id = @bot_id::uuid
   AND (sqlc.narg('before')::uuid IS NULL OR b.end_user_id < sqlc.narg('before')::uuid)
 ORDER BY b.end_user_id DESC
 LIMIT @count;

-- name: FindEndUser :many
-- A query of its own, for its own index.
SELECT e.id, e.external_id, e.name, e.metadata, e.created_at, e.last_token_at, e.revoked_at
  FROM end_users e
 WHERE e.workspace_id = @workspace_id AND e.external_id = @external_id::text
   AND (sqlc.narg('bot_id')::uuid IS NULL
        OR EXISTS (SELECT FROM end_user_bots b WHERE b.workspace_id = @workspace_id AND b.end_user_id = e.id AND b.bot_id = sqlc.narg('bot_id')::uuid));

-- name: RevokeEndUser :one
UPDATE end_users SET revoked_at = coalesce(revoked_at, now()) WHERE workspace_id = @workspace_id AND id = @id
RETURNING id, external_id, name, metadata, created_at, last_token_at, revoked_at;

-- name: LocateSilentEndUsers :many
-- Anonymous end users whose last token was made before a time, after one of them; whether they have threads, only their workspaces see.
SELECT a.workspace_id::uuid AS workspace_id, a.end_user_id::uuid AS end_user_id, a.last_token_at::timestamptz AS last_token_at
  FROM app.locate_anonymous_end_users(@since::timestamptz, @before::timestamptz, @after_at::timestamptz, @after_id::uuid, @max_rows::integer) a;

-- name: RemoveSilentEndUsers :exec
-- Of some anonymous end users those that have no threads, no files and no newer token.
DELETE FROM end_users e
 WHERE e.workspace_id = @workspace_id AND e.id = ANY (@ids::uuid[]) AND e.external_id IS NULL AND e.last_token_at < @before
   AND NOT EXISTS (SELECT FROM app.thread_owners t WHERE t.workspace_id = @workspace_id AND t.owner_id = e.id)
   AND NOT EXISTS (SELECT FROM app.file_owners f WHERE f.workspace_id = @workspace_id AND f.owner_id = e.id);

-- name: DeleteEndUser :one
-- Its tokens are refused at once. Whoever makes a thread for it meanwhile waits for the end of the transaction.
DELETE FROM end_users WHERE workspace_id = @workspace_id AND id = @id RETURNING id;

-- name: RemoveCountsOfCaller :exec
DELETE FROM caller_counts WHERE workspace_id = @workspace_id AND caller_id = @id;

-- name: EraseEndUser :exec
-- After its threads, so that nothing is stored behind it.
SELECT app.erase_end_user(@id::uuid);

-- name: MergeEndUser :one
SELECT m.known::uuid AS known, m.refused::boolean AS refused FROM app.merge_end_user(@id::uuid, @external_id::text) m WHERE m.refused IS NOT NULL;
