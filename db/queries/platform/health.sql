-- name: Ping :one
SELECT 1::integer;

-- name: InstallationKey :one
-- The print of the master secret that this database is used with, which the first that asks makes its own, and from when on ids of
-- keys are written.
SELECT key_print::bytea AS key_print, ids_from::timestamptz AS ids_from FROM app.installation_key(@print::bytea);

-- name: KnownKey :one
-- The same print, without making one; empty where there is none.
SELECT coalesce(app.known_key(), '')::bytea AS key_print;

-- name: AdoptKey :one
SELECT true FROM app.adopt_key(@print::bytea);

-- name: RehearseWorkspace :one
-- A workspace for the length of a transaction that is rolled back.
INSERT INTO workspaces (id, name, created_at) VALUES (@id, 'check', now()) RETURNING id;

-- name: SeesOnly :one
-- Whether this transaction has the role of the program, and row-level security shows it this workspace and no other.
SELECT (current_user = 'parley_app' AND count(*) = 1 AND bool_and(id = @id))::boolean FROM workspaces;

-- name: TableBytes :many
-- With their indexes, and what is stored beside them (TOAST).
SELECT c.relname::text AS name, pg_total_relation_size(c.oid)::bigint AS bytes
  FROM pg_catalog.pg_class c
 WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
 ORDER BY c.relname;

-- name: DatabaseBytes :one
-- All of it, the system's own tables too.
SELECT pg_database_size(current_database())::bigint;
