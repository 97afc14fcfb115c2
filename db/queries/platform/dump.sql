-- name: DumpedTables :many
-- Every table of ours with its columns but those that are computed, and without the record of migrations, which says how the
-- schema came about.
SELECT n.nspname::text AS schema_name, c.relname::text AS name, array_agg(a.attname::text ORDER BY a.attnum)::text[] AS columns,
       c.relforcerowsecurity AS forced
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
 WHERE c.relkind = 'r' AND n.nspname IN ('public', 'app') AND c.relname NOT IN ('schema_migrations', 'applied_migrations')
 GROUP BY n.nspname, c.relname, c.relforcerowsecurity
 ORDER BY n.nspname, c.relname;

-- name: DumpedSequences :many
SELECT schemaname::text AS schema_name, sequencename::text AS name, last_value::bigint AS value
  FROM pg_catalog.pg_sequences
 WHERE schemaname IN ('public', 'app') AND last_value IS NOT NULL
 ORDER BY schemaname, sequencename;

-- name: SetSequence :exec
-- One that is not there, such as an operator's, is left out.
SELECT setval(to_regclass(format('%I.%I', sqlc.arg(schema_name)::text, sqlc.arg(name)::text)), sqlc.arg(value)::bigint);

-- name: ForeignKeys :many
-- As the statements that take them away and put them back.
SELECT format('ALTER TABLE %I.%I DROP CONSTRAINT %I', n.nspname, c.relname, k.conname)::text AS take_away,
       format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid))::text AS put_back
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE k.contype = 'f' AND k.conparentid = 0 AND n.nspname IN ('public', 'app')
 ORDER BY n.nspname, c.relname, k.conname;

-- name: OtherClients :one
SELECT count(*) FROM pg_catalog.pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend';

-- name: ServerVersion :one
SELECT current_setting('server_version')::text AS version;
