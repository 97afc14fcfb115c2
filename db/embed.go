// Package db holds the schema and the queries, and what sqlc makes of them: one generated package a module.
package db

import "embed"

// Migrations are the files of golang-migrate, up and down.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// MigrationSums has a line for each migration: its number, the SHA-256 of its up file, and that of the schema after it, as
// SchemaLines describes it. It is generated (go test ./db -update) and only ever grows: a migration that has landed is not changed.
//
//go:embed migrations.sum
var MigrationSums string

// SchemaLines is the query that describes the schema of a database, a line a thing.
//
//go:embed schema-lines.sql
var SchemaLines string

// Schema is what SchemaLines answers after the last migration. It is generated (go test ./db -update).
//
//go:embed schema.txt
var Schema string

// ClickHouse are the schema, a statement a file and in their order, and the queries that platform/data/analytics makes there.
//
//go:embed clickhouse/schema/*.sql clickhouse/queries/*.sql
var ClickHouse embed.FS
