-- Which migrations made this schema, with checksums: a file that was changed after it was applied, or came in before one
-- that was, is then known. The migrator writes it, in the transaction of each migration.
CREATE TABLE applied_migrations (
  version    bigint PRIMARY KEY,
  checksum   text NOT NULL CHECK (checksum ~ '^[0-9a-f]{64}$'), -- SHA-256 of the file
  applied_at timestamptz NOT NULL DEFAULT now()
);
