-- name: SealedKeys :many
SELECT kind::text AS kind, key::bytea AS key, count::bigint AS count FROM app.sealed_keys();

-- name: WorkspacesToReseal :many
SELECT app.workspaces_to_reseal(@mark::bytea, @model_mark::bytea, @after::uuid, @most::integer)::uuid;

-- name: RetiredKeys :many
SELECT key_id::bytea AS key_id, purpose::text AS purpose, sealed::bytea AS sealed, retired_at::timestamptz AS retired_at FROM app.retired_keys();

-- name: RetireKey :exec
SELECT app.retire_key(@key_id::bytea, @purpose::text, @sealed::bytea);
