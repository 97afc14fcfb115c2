-- name: LockSchemaVersion :many
-- No row: nothing was applied. Who has it locked may move the schema on.
SELECT version, dirty FROM schema_migrations FOR UPDATE;

-- name: ClearSchemaVersion :exec
DELETE FROM schema_migrations;

-- name: SetSchemaVersion :exec
INSERT INTO schema_migrations (version, dirty) VALUES (sqlc.arg(version), false);

-- name: HasAppliedMigrations :one
-- Databases from before have no such table.
SELECT (to_regclass('public.applied_migrations') IS NOT NULL)::boolean AS present;

-- name: AppliedMigrations :many
SELECT version, checksum FROM applied_migrations ORDER BY version;

-- name: RecordMigrations :exec
INSERT INTO applied_migrations (version, checksum)
SELECT unnest(sqlc.arg(versions)::bigint[]), unnest(sqlc.arg(checksums)::text[])
    ON CONFLICT (version) DO UPDATE SET checksum = EXCLUDED.checksum, applied_at = now() WHERE applied_migrations.checksum <> EXCLUDED.checksum;

-- name: ForgetMigrations :exec
DELETE FROM applied_migrations WHERE version > sqlc.arg(version);

-- name: InvalidIndexes :many
-- What a CREATE INDEX CONCURRENTLY leaves that was killed.
SELECT format('%I.%I', n.nspname, c.relname)::text AS name
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT i.indisvalid AND n.nspname = 'public';

-- name: WhereTablesAre :one
SELECT current_database()::text AS database, current_schema()::text AS schema, (to_regclass('schema_migrations') IS NOT NULL)::boolean AS versioned;

-- name: TryLockSchema :one
-- Who waits asks again: a statement that waited for the lock would have a snapshot, and be waited for.
SELECT pg_try_advisory_lock(sqlc.arg(lock)::bigint)::boolean;

-- name: UnlockSchema :exec
SELECT pg_advisory_unlock(sqlc.arg(lock)::bigint);

-- name: SchemaVersion :one
SELECT version, dirty FROM schema_migrations;
