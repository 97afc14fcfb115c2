-- name: CreateEndpoint :one
-- No row: the bot is deleted.
INSERT INTO webhook_endpoints (workspace_id, id, name, bot_id, status, secrets, on_archived, created_by, created_at)
SELECT @workspace_id, @id, @name, @bot_id, @status, @secrets, @on_archived, @created_by, @created_at
 WHERE NOT EXISTS (SELECT FROM app.live_versions l WHERE l.workspace_id = @workspace_id AND l.bot_id = @bot_id AND l.deleted_at IS NOT NULL)
RETURNING id;

-- name: GetEndpoint :one
SELECT id, name, bot_id, status, secrets, on_archived, created_at, coalesce(responsible_id, created_by)::uuid AS responsible_id
  FROM webhook_endpoints WHERE workspace_id = @workspace_id AND id = @id AND deleted_at IS NULL;

-- name: LockEndpoint :one
SELECT id, name, bot_id, status, secrets, on_archived, created_at, coalesce(responsible_id, created_by)::uuid AS responsible_id
  FROM webhook_endpoints WHERE workspace_id = @workspace_id AND id = @id AND deleted_at IS NULL FOR UPDATE;

-- name: SaveEndpoint :one
-- No row: the bot is deleted.
UPDATE webhook_endpoints e SET name = @name, bot_id = @bot_id, status = @status, secrets = @secrets, on_archived = @on_archived
 WHERE e.workspace_id = @workspace_id AND e.id = @id
   AND NOT EXISTS (SELECT FROM app.live_versions l WHERE l.workspace_id = @workspace_id AND l.bot_id = @bot_id AND l.deleted_at IS NOT NULL)
RETURNING e.id;

-- name: AdoptEndpoint :one
UPDATE webhook_endpoints SET responsible_id = @member::uuid
 WHERE workspace_id = @workspace_id AND id = @id AND deleted_at IS NULL AND app.lock_authority(@workspace_id, @member::uuid, @roles::text[])
RETURNING id, name, bot_id, status, secrets, on_archived, created_at, coalesce(responsible_id, created_by)::uuid AS responsible_id;

-- name: DeleteEndpoint :one
UPDATE webhook_endpoints SET deleted_at = now()
 WHERE workspace_id = @workspace_id AND id = @id AND deleted_at IS NULL
RETURNING id;

-- name: ListEndpoints :many
SELECT id, name, bot_id, status, secrets, on_archived, created_at, coalesce(responsible_id, created_by)::uuid AS responsible_id
  FROM webhook_endpoints
 WHERE workspace_id = @workspace_id AND deleted_at IS NULL AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before')::uuid)
 ORDER BY id DESC
 LIMIT @count;

-- name: EndpointsToReseal :many
SELECT e.id, e.secrets FROM webhook_endpoints e
 WHERE e.workspace_id = @workspace_id AND e.id > @after
   AND EXISTS (SELECT FROM jsonb_array_elements(e.secrets) k WHERE left(k ->> 'sealed', 12) <> @mark::text)
 ORDER BY e.id
 LIMIT @count
   FOR UPDATE;

-- name: ResealEndpoint :exec
UPDATE webhook_endpoints SET secrets = @secrets WHERE workspace_id = @workspace_id AND id = @id;
