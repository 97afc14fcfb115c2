// Package db holds the schema and the queries, and what sqlc makes of them: one generated package a module.
package db

import "embed"

// Migrations are the files of golang-migrate, up and down.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// ClickHouse are the schema, a statement a file and in their order, and the queries that platform/analytics makes there.
//
//go:embed clickhouse/schema/*.sql clickhouse/queries/*.sql
var ClickHouse embed.FS
